import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Kernels } from './kernels.ts'
import { createKernels, KERNELS_WASM_URL } from './kernels.ts'

interface Input {
  readonly input: 'noise' | 'records' | 'islands'
  readonly length: number
}
interface Vectors {
  /** Bytes of which XXH32 with seed 0 is 0. */
  readonly zeroHash: string
  readonly classify: readonly (Input & { readonly counts: readonly number[] })[]
  readonly transpose: readonly (Input & { readonly stride: number; readonly digest: string })[]
  readonly features: readonly (Input & { readonly samples: string })[]
}

const vectors = JSON.parse(
  readFileSync(new URL('../test-vectors/pages.json', import.meta.url), 'utf8'),
) as Vectors

const memoryBytes = 1 << 19
const inputMax = 65536
const all = [
  createKernels({ wasm: readFileSync(KERNELS_WASM_URL), memoryBytes }),
  createKernels({ memoryBytes }),
]
/** Offsets of an input, an output and another one; the same in both. */
const [input, output, again] = places(all[0]!)
places(all[1]!)

const strides = [8, 16, 32, 64]
const lags = strides
const guard = new Uint8Array(32).fill(0xee)

function places(kernels: Kernels): [number, number, number] {
  const one = (): number => kernels.allocate(inputMax + 256, 64)
  return [one(), one(), one()]
}

/** The inputs of the vectors; see `test-vectors/pages.py`. */
const inputs = {
  noise: noise(),
  records: noise().map((byte, i) => (i % 32 < 8 ? byte : i % 32)),
  islands: noise().map((byte, i) => (((i >> 10) & 3) === 0 ? byte : 0)),
}

function noise(): Uint8Array {
  let x = 1
  return Uint8Array.from({ length: inputMax }, () => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0
    return x >>> 24
  })
}

/** Any bytes with much or little in common, from a few values to all. */
const anyInput = fc.record({
  length: fc.oneof(
    fc.nat({ max: 300 }),
    fc.nat({ max: 9000 }),
    fc.constantFrom(4096, 16384, 65535, inputMax),
  ),
  mask: fc.constantFrom(0, 1, 7, 255),
  from: fc.constantFrom('noise' as const, 'records' as const, 'islands' as const),
  off: fc.nat({ max: 17 }),
  outOff: fc.nat({ max: 17 }),
})
type AnyInput = typeof anyInput extends fc.Arbitrary<infer T> ? T : never

function bytesOf({ length, mask, from }: AnyInput): Uint8Array {
  return inputs[from].subarray(0, length).map((byte) => byte & mask)
}

/** What `run` writes for `bytes`; what is around must stay. */
function outputOf(
  kernels: Kernels,
  bytes: Uint8Array,
  outBytes: number,
  run: (at: number, out: number) => void,
  off = 0,
  outOff = 0,
): Uint8Array {
  const out = output + 32 + outOff
  kernels.bytes.set(bytes, input + off)
  kernels.bytes.fill(0xee, out - 32, out + outBytes + 32)
  run(input + off, out)
  expect(kernels.bytes.slice(out - 32, out)).toEqual(guard)
  expect(kernels.bytes.slice(out + outBytes, out + outBytes + 32)).toEqual(guard)
  return kernels.bytes.slice(out, out + outBytes)
}

function classify(
  kernels: Kernels,
  bytes: Uint8Array,
  pageBytes: number,
  off = 0,
  outOff = 0,
): Uint16Array {
  const pages = Math.ceil(bytes.length / pageBytes)
  const run = (at: number, out: number): void => kernels.classify(at, bytes.length, pageBytes, out)
  const written = outputOf(kernels, bytes, pages * 8, run, off, outOff)
  return new Uint16Array(written.buffer)
}

function features(kernels: Kernels, page: Uint8Array, off = 0, outOff = 0): Uint32Array {
  const run = (at: number, out: number): void => kernels.features(at, page.length, out)
  return new Uint32Array(outputOf(kernels, page, 32, run, off, outOff).buffer)
}

describe.each(all)('classify, $active', (kernels) => {
  it('is what an independent script counts', () => {
    const wrong = vectors.classify.filter(({ input: from, length, counts }) => {
      const found = classify(kernels, inputs[from].subarray(0, length), 65536)
      return String(found) !== String(counts)
    })
    expect(wrong).toEqual([])
    expect(vectors.classify.length).toBeGreaterThan(50)
  })

  it('counts equal bytes 8, 16, 32 and 64 bytes apart', () => {
    const page = Uint8Array.from({ length: 200 }, (_, i) => i)
    page.copyWithin(100, 92, 93)
    expect([...classify(kernels, page, 200)]).toEqual([1, 0, 0, 0])
    page.fill(7, 0, 65)
    // Of 65 equal bytes, all but the last 8, 16, 32, 64.
    expect([...classify(kernels, page, 200)]).toEqual([58, 49, 33, 1])
  })

  it('of a page of zeros, all have an equal one; counts do not overflow', () => {
    for (const length of [4096, 16384, 65535, 65536]) {
      const expected = lags.map((lag) => length - lag)
      expect([...classify(kernels, new Uint8Array(length), 65536)]).toEqual(expected)
    }
  })

  it('does not look from one page into the next, and takes a short one last', () => {
    const found = classify(kernels, new Uint8Array(100 + 100 + 20), 100)
    const whole = lags.map((lag) => 100 - lag)
    expect([...found]).toEqual([...whole, ...whole, 12, 4, 0, 0])
    expect([...classify(kernels, new Uint8Array(0), 100)]).toEqual([])
    expect([...classify(kernels, new Uint8Array(3), 1)]).toEqual(Array(12).fill(0))
  })
})

it('both classify the same', () => {
  const anyPage = fc.oneof(fc.integer({ min: 1, max: 600 }), fc.constantFrom(4096, 16384, 65536))
  fc.assert(
    fc.property(anyInput, anyPage, (one, pageBytes) => {
      // So that there is room for what is written.
      const bytes = bytesOf(one).subarray(0, pageBytes * 1000)
      const [a, b] = all.map((kernels) => classify(kernels, bytes, pageBytes, one.off, one.outOff))
      expect(a).toEqual(b)
    }),
    { numRuns: 400 },
  )
})

describe.each(all)('transpose, $active', (kernels) => {
  it('is what an independent script gives', () => {
    const wrong = vectors.transpose.filter(({ input: from, length, stride, digest }) => {
      const run = (at: number, out: number): void => kernels.transpose(at, length, stride, out)
      const bytes = outputOf(kernels, inputs[from].subarray(0, length), length, run)
      return createHash('sha256').update(bytes).digest('hex').slice(0, 16) !== digest
    })
    expect(wrong).toEqual([])
    expect(vectors.transpose.length).toBeGreaterThan(200)
  })

  it('puts the bytes of equal place together, and leaves what is no whole row', () => {
    const bytes = Uint8Array.from('abcdefghABCDEFGHxyz', (letter) => letter.codePointAt(0)!)
    const run = (at: number, out: number): void => kernels.transpose(at, bytes.length, 8, out)
    const turned = outputOf(kernels, bytes, bytes.length, run)
    expect(String.fromCodePoint(...turned)).toBe('aAbBcCdDeEfFgGhHxyz')
    const runBack = (at: number, out: number): void => kernels.untranspose(at, bytes.length, 8, out)
    expect(outputOf(kernels, turned, bytes.length, runBack)).toEqual(bytes)
  })

  it('refuses other strides, and an output in the input', () => {
    for (const stride of [0, 1, 4, 7, 12, 24, 128, -8, Number.NaN]) {
      expect(() => kernels.transpose(input, 4096, stride, output)).toThrow(RangeError)
      expect(() => kernels.untranspose(input, 4096, stride, output)).toThrow(RangeError)
    }
    for (const out of [input, input - 4095, input + 4095]) {
      expect(() => kernels.transpose(input, 4096, 8, out)).toThrow(RangeError)
      expect(() => kernels.untranspose(input, 4096, 8, out)).toThrow(RangeError)
    }
    expect(() => kernels.transpose(input, 4096, 8, input + 4096)).not.toThrow()
    expect(() => kernels.transpose(input, 0, 8, input)).not.toThrow()
  })
})

it('both transpose the same, and back', () => {
  fc.assert(
    fc.property(anyInput, fc.constantFrom(...strides), (one, stride) => {
      const bytes = bytesOf(one)
      const [a, b] = all.map((kernels) => {
        const run = (at: number, out: number): void => {
          kernels.transpose(at, bytes.length, stride, out)
          kernels.bytes.fill(0xee, again, again + bytes.length + 32)
          kernels.untranspose(out, bytes.length, stride, again + one.off)
        }
        const turned = outputOf(kernels, bytes, bytes.length, run, one.off, one.outOff)
        const start = again + one.off
        expect(kernels.bytes.slice(start, start + bytes.length)).toEqual(bytes)
        return turned
      })
      expect(a).toEqual(b)
    }),
    { numRuns: 400 },
  )
})

it('transposes 4 MiB, less a little, and back', () => {
  const byteCount = (4 << 20) - 5
  const [simd, twin] = [readFileSync(KERNELS_WASM_URL), undefined].map((wasm) => {
    const kernels = createKernels({ wasm, memoryBytes: 9 << 20 })
    const [at, out] = [0, 1].map(() => kernels.allocate(4 << 20)) as [number, number]
    for (let i = 0; i < byteCount; i += inputMax) kernels.bytes.set(inputs.noise, at + i)
    for (let i = 0; i < byteCount; i += 4096) kernels.bytes[at + i] = i >> 12
    const before = kernels.bytes.slice(at, at + byteCount)
    const turned = strides.map((stride) => {
      kernels.transpose(at, byteCount, stride, out)
      const digest = createHash('sha256').update(kernels.bytes.subarray(out, out + byteCount))
      kernels.bytes.fill(0, at, at + byteCount)
      kernels.untranspose(out, byteCount, stride, at)
      expect(Buffer.compare(before, kernels.bytes.subarray(at, at + byteCount))).toBe(0)
      return digest.digest('hex')
    })
    return turned
  })
  expect(simd).toEqual(twin)
  expect(new Set(simd).size).toBe(strides.length)
})

describe.each(all)('features, $active', (kernels) => {
  it('are what an independent script gives', () => {
    const wrong = vectors.features.filter(({ input: from, length, samples }) => {
      const found = features(kernels, inputs[from].subarray(0, length))
      return Buffer.from(found.buffer).toString('hex') !== samples
    })
    expect(wrong).toEqual([])
    expect(vectors.features.length).toBe(15)
  })

  it.each([4096, 65536])('look at one block in each part of a page of %i', (pageBytes) => {
    const page = new Uint8Array(pageBytes)
    expect([...features(kernels, page)]).toEqual(Array(8).fill(0))
    for (let k = 0; k < 8; k++) {
      const at = k * (pageBytes / 8) + ((3 * k + 3) % 8) * (pageBytes / 64)
      for (const i of [at, at + 63]) {
        page[i] = 1
        const found = features(kernels, page)
        expect(found.map((sample) => (sample === 0 ? 0 : 1))).toEqual(
          Uint32Array.from({ length: 8 }, (_, part) => (part === k ? 1 : 0)),
        )
        page[i] = 0
      }
      page[at - 1] = 1
      page[at + 64] = 1
    }
    expect([...features(kernels, page)]).toEqual(Array(8).fill(0))
  })

  it('a block that is not zero has a sample that is not, even where its hash is 0', () => {
    const page = new Uint8Array(4096)
    page.set(Buffer.from(vectors.zeroHash, 'hex'), 3 * 64)
    expect([...features(kernels, page)]).toEqual([1, 0, 0, 0, 0, 0, 0, 0])
  })
})

it('both give the same features', () => {
  const anyPage = fc.constantFrom(4096, 8192, 16384, 32768, 65536)
  fc.assert(
    fc.property(anyInput, anyPage, (one, pageBytes) => {
      const page = new Uint8Array(pageBytes)
      page.set(bytesOf({ ...one, length: Math.min(one.length, pageBytes) }))
      const [a, b] = all.map((kernels) => features(kernels, page, one.off, one.outOff))
      expect(a).toEqual(b)
    }),
    { numRuns: 200 },
  )
})

describe.each(all)('offsets, $active', (kernels) => {
  it('outside the memory are refused', () => {
    const end = memoryBytes
    expect(() => kernels.classify(end - 4095, 4096, 4096, output)).toThrow(RangeError)
    expect(() => kernels.classify(input, 8192, 4096, end - 15)).toThrow(RangeError)
    expect(() => kernels.transpose(end - 7, 8, 8, output)).toThrow(RangeError)
    expect(() => kernels.transpose(input, 8, 8, end - 7)).toThrow(RangeError)
    expect(() => kernels.untranspose(-1, 8, 8, output)).toThrow(RangeError)
    expect(() => kernels.untranspose(input, 8, 8, end - 7)).toThrow(RangeError)
    expect(() => kernels.features(end - 4095, 4096, output)).toThrow(RangeError)
    expect(() => kernels.features(input, 4096, end - 31)).toThrow(RangeError)
  })

  it.each([0, -1, 1.5, 65537, Number.NaN])('pages of %d bytes are not classified', (pageBytes) => {
    expect(() => kernels.classify(input, 4096, pageBytes, output)).toThrow(RangeError)
  })

  it.each([0, 512, 2048, 4095, 6144, 131072, Number.NaN])('nor sampled: %d', (pageBytes) => {
    expect(() => kernels.features(input, pageBytes, output)).toThrow(RangeError)
  })

  it('at the very end are fine, and nothing beyond is read', () => {
    for (const length of [...Array(200).keys(), 4096]) {
      const at = memoryBytes - length
      kernels.classify(at, length, 4096, output)
      for (const stride of strides) {
        kernels.transpose(at, length, stride, output)
        kernels.untranspose(output, length, stride, at)
      }
    }
    expect(() => kernels.features(memoryBytes - 4096, 4096, output)).not.toThrow()
  })
})
