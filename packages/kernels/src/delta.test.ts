import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DeltaRefusal } from './delta.ts'
import type { Kernels } from './kernels.ts'
import { createKernels, KERNELS_WASM_URL } from './kernels.ts'

const isLong = process.env['GODWIT_LONG'] !== undefined

const memoryBytes = 1 << 20
const pageMax = 65536
const all = [
  createKernels({ wasm: readFileSync(KERNELS_WASM_URL), memoryBytes }),
  createKernels({ memoryBytes }),
]
const places = new Map(
  all.map((kernels) => [
    kernels,
    [0, 1, 2].map(() => kernels.allocate(pageMax * 2 + 256, 64)) as [number, number, number],
  ]),
)

/** Two versions of a page: places and lengths of stores to it. */
const anyChange = fc.record({
  pageBytes: fc.oneof(
    fc.integer({ min: 1, max: 80 }),
    fc.constantFrom(4095, 4096, 4097, 16383, 65536),
  ),
  stores: fc.array(
    fc.record({ at: fc.nat(), length: fc.integer({ min: 1, max: 24 }), value: fc.nat(255) }),
    { maxLength: 30 },
  ),
  off: fc.nat({ max: 17 }),
})
type Change = typeof anyChange extends fc.Arbitrary<infer T> ? T : never

/** Puts the versions into memory and encodes; the delta, or -1. */
function encode(kernels: Kernels, change: Change, outBytesMax: number): Uint8Array | -1 {
  const { pageBytes, stores, off } = change
  const [base, next, out] = places.get(kernels)!
  const { bytes } = kernels
  bytes.set(baseOf(pageBytes), base)
  bytes.copyWithin(next + off, base, base + pageBytes)
  for (const { at, length, value } of stores) {
    const start = next + off + (at % pageBytes)
    bytes.fill(value, start, Math.min(start + length, next + off + pageBytes))
  }
  bytes.fill(0xee, out, out + outBytesMax + 32)
  const length = kernels.encodeDelta(base, next + off, pageBytes, out + off, outBytesMax)
  const end = out + off + Math.max(length, length < 0 ? outBytesMax : 0)
  expect(bytes.subarray(end, end + 8)).toEqual(new Uint8Array(8).fill(0xee))
  return length < 0 ? -1 : bytes.slice(out + off, out + off + length)
}

/** Decodes onto `page` and returns the code; what is around the page must stay. */
function decode(kernels: Kernels, page: Uint8Array, delta: Uint8Array): [number, Uint8Array] {
  const [at] = places.get(kernels)!
  const { bytes } = kernels
  // At the memory's very end, where reading on would trap.
  const from = bytes.length - delta.length
  bytes.fill(0x55, at, at + page.length + 64)
  bytes.set(page, at + 32)
  bytes.set(delta, from)
  const code = kernels.decodeDelta(at + 32, page.length, from, delta.length)
  const guard = new Uint8Array(32).fill(0x55)
  expect(bytes.slice(at, at + 32)).toEqual(guard)
  expect(bytes.slice(at + 32 + page.length, at + 64 + page.length)).toEqual(guard)
  return [code, bytes.slice(at + 32, at + 32 + page.length)]
}

/** The older version that `encode` starts from. */
function baseOf(pageBytes: number): Uint8Array {
  return Uint8Array.from({ length: pageBytes }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 28)
}

it('both encode the same, and both decode it to the new version', () => {
  fc.assert(
    fc.property(anyChange, (change) => {
      const { pageBytes, off } = change
      const [a, b] = all.map((kernels) => encode(kernels, change, pageBytes * 2 + 64))
      expect(a).toEqual(b)
      const [, next] = places.get(all[0]!)!
      const newVersion = all[0]!.bytes.slice(next + off, next + off + pageBytes)
      for (const kernels of all) {
        const [code, page] = decode(kernels, baseOf(pageBytes), a as Uint8Array)
        expect(code).toBeGreaterThanOrEqual(0)
        expect(page).toEqual(newVersion)
      }
    }),
    { numRuns: isLong ? 400 : 100 },
  )
})

it('both keep to the bound, and a delta that just fits is the same', () => {
  fc.assert(
    fc.property(anyChange, fc.nat({ max: 400 }), (change, bound) => {
      const whole = encode(all[0]!, change, change.pageBytes * 2 + 64)
      const [a, b] = all.map((kernels) => encode(kernels, change, bound))
      expect(a).toEqual(b)
      expect(a).toEqual((whole as Uint8Array).length <= bound ? whole : -1)
    }),
    { numRuns: isLong ? 300 : 100 },
  )
})

describe('runs', () => {
  const head = (change: Change): number[][] =>
    all.map((kernels) => [...(encode(kernels, change, 8192) as Uint8Array).subarray(0, 3)])

  it.each([
    ['nothing changed', [], []],
    ['the first byte', [0], [0, 1, 0xff]],
    ['the last byte', [4095], [0xff, 0x1f, 1]],
    ['three unchanged bytes are part of a run', [100, 104], [100, 5, 0xff]],
    ['four end it', [100, 105], [100, 1, 0xff]],
  ])('%s', (_, places, expected) => {
    const stores = places.map((at) => ({ at, length: 1, value: 0xff }))
    expect(head({ pageBytes: 4096, stores, off: 0 })).toEqual([expected, expected])
  })

  it('all of the page', () => {
    const stores = [{ at: 0, length: 4096, value: 0xff }]
    const expected = [0, 0x80, 0x20]
    expect(head({ pageBytes: 4096, stores, off: 0 })).toEqual([expected, expected])
  })
})

describe("QEMU's own example", () => {
  // docs/xbzrle.txt, "Example": 1001 zeros, these, 3074 zeros.
  const pageOf = (hex: string): Uint8Array => {
    const page = new Uint8Array(4096)
    page.set(bytesOf(hex), 1001)
    return page
  }
  const older = pageOf('05060708090a0b0c0d0e0f1011121368' + '00006b006d')
  const newer = pageOf('0102030405060708090a0b0c0d0e0f68' + '000067' + '0069')
  const documented = bytesOf('e9070f0102030405060708090a0b0c0d0e0f' + '030167' + '010169')

  it('what is documented decodes to the new version', () => {
    for (const kernels of all) expect(decode(kernels, older, documented)).toEqual([17, newer])
  })

  it('is encoded as one run: here, fewer than four unchanged bytes do not end one', () => {
    // Equal: pairs, their lengths, the first one's 1001 unchanged bytes, nothing for the 3074.
    // Different: QEMU's changed runs of 15, 1 and 1 with 3 and 1 unchanged between are one of 21.
    const run = newer.subarray(1001, 1001 + 21)
    const expected = Uint8Array.of(0xe9, 0x07, 15 + 3 + 1 + 1 + 1, ...run)
    expect(expected.length).toBe(documented.length)
    for (const kernels of all) {
      const [base, next, out] = places.get(kernels)!
      kernels.bytes.set(older, base)
      kernels.bytes.set(newer, next)
      const length = kernels.encodeDelta(base, next, 4096, out, 4096)
      expect(kernels.bytes.slice(out, out + length)).toEqual(expected)
      expect(decode(kernels, older, expected)).toEqual([21, newer])
    }
  })
})

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

describe('hostile deltas', () => {
  it.each([
    ['nothing', [], 0],
    ['a length alone', [1], DeltaRefusal.Truncated],
    ['half a length', [0x81], DeltaRefusal.Truncated],
    ['an empty run', [0, 0], DeltaRefusal.EmptyRun],
    ['two runs that are one', [0, 1, 7, 0, 1, 7], DeltaRefusal.EmptyRun],
    ['a length longer than needed', [0x81, 0, 1, 7], DeltaRefusal.BadLength],
    ['a length of four bytes', [0x80, 0x80, 0x80, 1, 1, 7], DeltaRefusal.BadLength],
    ['a run behind the page', [100, 1, 7], DeltaRefusal.PageExceeded],
    ['a run over the end', [99, 2, 7, 7], DeltaRefusal.PageExceeded],
    ['a run of more than there is', [0, 5, 7, 7], DeltaRefusal.Truncated],
    ['the last byte', [99, 1, 7], 1],
  ])('%s', (_, delta, code) => {
    for (const kernels of all) {
      expect(decode(kernels, new Uint8Array(100), Uint8Array.from(delta))[0]).toBe(code)
    }
  })

  it('random bytes get the same answer of both, and store nothing outside the page', () => {
    const small = fc.oneof(fc.nat({ max: 9 }), fc.nat({ max: 255 }), fc.constant(0x80))
    const anyDelta = fc.uint8Array({ maxLength: 200 })
    const likely = fc.array(small, { maxLength: 60 }).map((list) => Uint8Array.from(list))
    fc.assert(
      fc.property(fc.oneof(anyDelta, likely), fc.integer({ min: 1, max: 300 }), (delta, size) => {
        const [a, b] = all.map((kernels) => decode(kernels, new Uint8Array(size), delta))
        expect(a).toEqual(b)
      }),
      { numRuns: isLong ? 2000 : 500 },
    )
  })

  it('cut anywhere, a delta is refused or decodes to less', () => {
    const change: Change = {
      pageBytes: 4096,
      stores: [10, 400, 401, 2000, 4000].map((at) => ({ at, length: 20, value: 0xaa })),
      off: 0,
    }
    const whole = encode(all[0]!, change, 4096) as Uint8Array
    for (let length = 0; length < whole.length; length++) {
      const [a, b] = all.map((one) => decode(one, baseOf(4096), whole.slice(0, length))[0])
      expect(a).toBe(b)
      expect(a).toBeLessThan(81)
    }
  })
})
