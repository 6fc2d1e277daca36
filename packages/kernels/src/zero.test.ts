import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createKernels, KERNELS_WASM_URL } from './kernels.ts'

const memoryBytes = 1 << 18
const all = [
  createKernels({ wasm: readFileSync(KERNELS_WASM_URL), memoryBytes }),
  createKernels({ memoryBytes }),
]

describe.each(all)('zero tests, $active', (kernels) => {
  const { bytes } = kernels
  const at = kernels.allocate(64 * 1024, 64)

  it('a page of zeros is zero, whatever is next to it', () => {
    bytes.fill(0xff, at, at + 8192)
    for (const off of [0, 1, 3, 8, 63]) {
      bytes.fill(0, at + off, at + off + 4096)
      expect(kernels.isZero(at + off, 4096)).toBe(true)
      bytes.fill(0xff, at + off, at + off + 4096)
    }
  })

  it('one bit anywhere makes a page not zero', () => {
    bytes.fill(0, at, at + 4096)
    let missed = 0
    for (let i = 0; i < 4096; i++) {
      bytes[at + i] = 1 << (i & 7)
      if (kernels.isZero(at, 4096)) missed++
      bytes[at + i] = 0
    }
    expect(missed).toBe(0)
  })

  it('any length at any alignment is looked at to its last byte, and no further', () => {
    const length = fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 4200 }))
    fc.assert(
      fc.property(length, fc.nat({ max: 63 }), fc.nat(), (byteCount, off, place) => {
        bytes.fill(0xff, at, at + off + byteCount + 128)
        bytes.fill(0, at + off, at + off + byteCount)
        expect(kernels.isZero(at + off, byteCount)).toBe(true)
        if (byteCount === 0) return
        bytes[at + off + (place % byteCount)] = 0x80
        expect(kernels.isZero(at + off, byteCount)).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  it('zeroRun counts the leading zero pages', () => {
    bytes.fill(0, at, at + 16 * 4096)
    expect(kernels.zeroRun(at, 4096, 16)).toBe(16)
    expect(kernels.zeroRun(at, 4096, 0)).toBe(0)
    for (let page = 0; page < 16; page++) {
      bytes[at + page * 4096 + 4095 - page] = 1
      expect(kernels.zeroRun(at, 4096, 16)).toBe(page)
      bytes[at + page * 4096 + 4095 - page] = 0
    }
  })
})
