import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createKernels, KERNELS_WASM_URL } from './kernels.ts'

const memoryBytes = 1 << 20
const pagesMax = 16
const all = [
  createKernels({ wasm: readFileSync(KERNELS_WASM_URL), memoryBytes }),
  createKernels({ memoryBytes }),
]

/** Which pages hold something, and how many bytes the last one has. */
const anyBatch = fc.record({
  pages: fc.array(fc.boolean(), { minLength: 1, maxLength: pagesMax }),
  lastBytes: fc.integer({ min: 1, max: 4096 }),
  off: fc.constantFrom(0, 1, 8),
  place: fc.nat({ max: 4095 }),
})

describe.each(all)('pack, $active', (kernels) => {
  const { bytes } = kernels
  const at = kernels.allocate((pagesMax + 1) * 4096, 64)
  const outs = [0, 1, 2, 3, 4].map(() => kernels.allocate(pagesMax * 8))
  const [flags, outA, outB, outC, expected] = outs
  const keyA = kernels.createKey(1n)
  const keyB = kernels.createKey(2n)

  /** Page by page, to `expected`; what is behind them is 0xee. */
  function hashEach(start: number, byteCount: number, key: number): void {
    bytes.fill(0xee, expected!, expected! + pagesMax * 8)
    for (let page = 0; page * 4096 < byteCount; page++) {
      const length = Math.min(4096, byteCount - page * 4096)
      kernels.hash(start + page * 4096, length, key, expected! + page * 8)
    }
  }

  it('is the zero test and the fingerprints of every page, as those of all of them are', () => {
    fc.assert(
      fc.property(anyBatch, ({ pages, lastBytes, off, place }) => {
        const byteCount = (pages.length - 1) * 4096 + lastBytes
        const start = at + off
        bytes.fill(0, start, start + byteCount)
        const isZero = pages.map((isUsed, page) => {
          const length = Math.min(4096, byteCount - page * 4096)
          if (isUsed) bytes[start + page * 4096 + (place % length)] = page + 1
          return isUsed ? 0 : 1
        })
        const zeroPages = isZero.filter((flag) => flag === 1).length
        const outBytes = pages.length * 8
        for (const isDouble of [false, true]) {
          bytes.fill(0xee, flags!, flags! + pagesMax * 8)
          bytes.fill(0xee, outB!, outB! + pagesMax * 8)
          const packed = isDouble
            ? kernels.pack(start, byteCount, 4096, flags!, keyA, outA!, keyB, outB!)
            : kernels.pack(start, byteCount, 4096, flags!, keyA, outA!)
          expect(packed).toBe(zeroPages)
          expect(bytes.slice(flags, flags! + pages.length + 1)).toEqual(
            Uint8Array.of(...isZero, 0xee),
          )
          hashEach(start, byteCount, keyA)
          expect(bytes.slice(outA, outA! + outBytes)).toEqual(
            bytes.slice(expected, expected! + outBytes),
          )
          bytes.fill(0xee, outC!, outC! + pagesMax * 8)
          kernels.hashPages(start, byteCount, 4096, keyA, outC!)
          expect(bytes.slice(outC, outC! + pagesMax * 8)).toEqual(
            bytes.slice(expected, expected! + pagesMax * 8),
          )
          if (isDouble) hashEach(start, byteCount, keyB)
          else bytes.fill(0xee, expected!, expected! + outBytes)
          expect(bytes.slice(outB, outB! + outBytes)).toEqual(
            bytes.slice(expected, expected! + outBytes),
          )
        }
      }),
      { numRuns: 100 },
    )
  })
})
