import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Kernels } from './kernels.ts'
import { createKernels, KERNELS_WASM_URL } from './kernels.ts'

interface Vector {
  readonly length: number
  readonly seed: string
  readonly hash: string
}

const { vectors } = JSON.parse(
  readFileSync(new URL('../test-vectors/xxh3.json', import.meta.url), 'utf8'),
) as { vectors: readonly Vector[] }

const inputBytes = 65536 + 64
const memoryBytes = 1 << 20
const simd = createKernels({ wasm: readFileSync(KERNELS_WASM_URL), memoryBytes })
const twin = createKernels({ memoryBytes })

/** The bytes that the vectors' inputs begin with; see `test-vectors/xxh3.py`. */
function sample(byteCount: number): Uint8Array {
  let x = 1
  return Uint8Array.from({ length: byteCount }, () => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0
    return x >>> 24
  })
}

function read64(kernels: Kernels, at: number): bigint {
  return new DataView(kernels.bytes.buffer).getBigUint64(at, true)
}

/** Where a test puts things; the same in both. */
function layOut(kernels: Kernels): { input: number; out: number } {
  return { input: kernels.allocate(inputBytes, 64), out: kernels.allocate(1024, 64) }
}

describe.each([simd, twin])('XXH3, $active', (kernels) => {
  const { input, out } = layOut(kernels)

  it.each([0, 1, 7])('is what the specification says, %i bytes off alignment', (shift) => {
    kernels.bytes.set(sample(65536), input + shift)
    const keys = new Map<string, number>()
    const wrong = vectors.filter(({ length, seed, hash }) => {
      const key = keys.get(seed) ?? kernels.createKey(BigInt(`0x${seed}`))
      keys.set(seed, key)
      kernels.hash(input + shift, length, key, out + shift)
      return read64(kernels, out + shift) !== BigInt(`0x${hash}`)
    })
    expect(wrong).toEqual([])
    expect(vectors.length).toBeGreaterThan(400)
  })
})

/** Around the borders of the length classes, stripes and blocks. */
const anyLength = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc
    .tuple(fc.constantFrom(1024, 2048, 4096, 8192), fc.integer({ min: -66, max: 66 }))
    .map(([border, distance]) => border + distance),
)
const anySeed = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })
/** Random bytes, zeros, or zeros but for one bit, from a seed so that shrinking stays cheap. */
const anyFill = fc.record({
  kind: fc.constantFrom('random', 'zero', 'bit'),
  seed: fc.nat(),
})

function fill(bytes: Uint8Array, how: { kind: string; seed: number }): void {
  bytes.fill(0)
  if (how.kind === 'bit' && bytes.length > 0) {
    bytes[how.seed % bytes.length] = 1 << (how.seed & 7)
  }
  if (how.kind !== 'random') return
  let x = how.seed
  for (let i = 0; i < bytes.length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0
    bytes[i] = x >>> 24
  }
}

describe('the kernel and its twin', () => {
  const places = [simd, twin].map((kernels) => ({ kernels, ...layOut(kernels) }))
  const shared = places[0]!.input
  // Keys are never given back, so a few are made and used by all runs.
  const seeds = fc.sample(anySeed, { numRuns: 8, seed: 1 })
  const keysOf = new Map([simd, twin].map((one) => [one, seeds.map((s) => one.createKey(s))]))
  const anyKey = fc.nat({ max: seeds.length - 1 })

  it('have their things at the same offsets', () => {
    expect(places[1]!.input).toBe(shared)
    expect(keysOf.get(simd)).toEqual(keysOf.get(twin))
  })

  it('agree on any bytes of any length anywhere', () => {
    const shift = fc.nat({ max: 63 })
    fc.assert(
      fc.property(anyLength, shift, anyFill, anyKey, (length, off, how, keyIndex) => {
        const [a, b] = places.map(({ kernels, input, out }) => {
          fill(kernels.bytes.subarray(input + off, input + off + length), how)
          kernels.hash(input + off, length, keysOf.get(kernels)![keyIndex]!, out)
          return read64(kernels, out)
        })
        expect(a).toBe(b)
      }),
      { numRuns: 1500 },
    )
  })

  it('agree on runs of pages with a short end, and two keys are two passes', () => {
    const anyPages = fc.record({
      byteCount: fc.integer({ min: 1, max: 5 * 4096 }),
      off: fc.nat({ max: 63 }),
      pageBytes: fc.constantFrom(128, 256, 4096, 8192),
    })
    fc.assert(
      fc.property(anyPages, anyFill, anyKey, anyKey, (pages, how, first, second) => {
        const { byteCount, off, pageBytes } = pages
        const pageCount = Math.min(Math.ceil(byteCount / pageBytes), 32)
        const used = Math.min(byteCount, pageCount * pageBytes)
        const results = places.map(({ kernels, input, out }) => {
          const keys = keysOf.get(kernels)!
          const at = input + off
          const end = out + pageCount * 8
          fill(kernels.bytes.subarray(at, at + used), how)
          kernels.hashPages(at, used, pageBytes, keys[first]!, out)
          kernels.hashPages(at, used, pageBytes, keys[second]!, end)
          const apart = kernels.bytes.slice(out, end + pageCount * 8)
          kernels.bytes.fill(0, out, end + pageCount * 8)
          kernels.hashPages2(at, used, pageBytes, keys[first]!, out, keys[second]!, end)
          expect(kernels.bytes.slice(out, end + pageCount * 8)).toEqual(apart)
          return apart
        })
        expect(results[0]).toEqual(results[1])
      }),
      { numRuns: 200 },
    )
  })
})

it('a bit anywhere in a page changes the fingerprint', () => {
  const { input, out } = layOut(simd)
  const key = simd.createKey(5n)
  const page = simd.bytes.subarray(input, input + 4096)
  page.fill(0)
  const seen = new Set<bigint>()
  for (let bit = 0; bit < 4096 * 8; bit++) {
    page[bit >> 3] = 1 << (bit & 7)
    simd.hash(input, 4096, key, out)
    seen.add(read64(simd, out))
    page[bit >> 3] = 0
  }
  expect(seen.size).toBe(4096 * 8)
})
