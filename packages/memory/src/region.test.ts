import { GIB, GodwitError, LimitError } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { allocateRegion, regionOf } from './region.ts'

function codeOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof GodwitError) return error.code
    throw error
  }
  return 'no error'
}

describe('allocateRegion', () => {
  it.each(['wasm', 'shared', 'plain'] as const)('makes %s regions of any size', (backing) => {
    const region = allocateRegion({ id: 3, name: 'ram', byteLength: 70_001, backing })
    expect(region.id).toBe(3)
    expect(region.name).toBe('ram')
    expect(region.bytes.byteLength).toBe(70_001)
    expect(region.bytes.byteOffset).toBe(0)
    expect(region.bytes.every((byte) => byte === 0)).toBe(true)
    expect(region.bytes.buffer instanceof SharedArrayBuffer).toBe(backing !== 'plain')
  })

  it('goes up to 4 GiB', () => {
    const region = allocateRegion({ id: 0, name: 'ram', byteLength: 4 * GIB })
    region.bytes[4 * GIB - 1] = 7
    expect(region.bytes.at(-1)).toBe(7)
  })

  it.each([0, -1, 1.5, Number.NaN])('refuses %s bytes', (byteLength) => {
    expect(codeOf(() => allocateRegion({ id: 0, name: 'ram', byteLength }))).toBe('USAGE')
  })

  it('refuses more than 4 GiB, telling the limit', () => {
    const request = { id: 0, name: 'ram', byteLength: 4 * GIB + 1 }
    expect(codeOf(() => allocateRegion(request))).toBe('LIMIT_EXCEEDED')
    expect(() => allocateRegion(request)).toThrow(LimitError)
  })
})

describe('regionOf', () => {
  it('shares whatever memory it is given', () => {
    const shared = new SharedArrayBuffer(100)
    const sources = [
      [shared, 100],
      [new ArrayBuffer(8), 8],
      [new Uint8Array(shared, 10, 20), 20],
      [{ buffer: shared }, 100],
    ] as const
    for (const [source, byteLength] of sources) {
      const region = regionOf(source, { id: 1, name: 'own' })
      expect(region.bytes.byteLength).toBe(byteLength)
    }
    regionOf(new Uint8Array(shared, 10, 20), { id: 1, name: 'own' }).bytes[0] = 9
    expect(new Uint8Array(shared)[10]).toBe(9)
  })

  it('refuses empty memory', () => {
    expect(codeOf(() => regionOf(new ArrayBuffer(0), { id: 1, name: 'own' }))).toBe('USAGE')
  })
})
