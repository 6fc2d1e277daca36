import { KIB, MIB } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PushWindow } from './push-window.ts'

describe('the window of what is pushed', () => {
  it('doubles with every window that was installed, up to 4 MiB', () => {
    const window = new PushWindow()
    /** Where it grew, and to what, in KiB. */
    const growth: [number, number][] = []
    for (let installed = 0; installed <= 32 * MIB; installed += 64 * KIB) {
      const before = window.bytes
      window.update(0, installed)
      if (window.bytes !== before) growth.push([installed / KIB, window.bytes / KIB])
    }
    expect(growth).toEqual([
      [256, 512],
      [256 + 512, 1024],
      [256 + 512 + 1024, 2048],
      [256 + 512 + 1024 + 2048, 4096],
    ])
  })

  it('begins again at a fault', () => {
    const window = new PushWindow()
    for (let installed = 0; installed <= 16 * MIB; installed += 256 * KIB) {
      window.update(1, installed)
    }
    expect(window.bytes).toBe(4 * MIB)
    window.update(2, 16 * MIB)
    expect(window.bytes).toBe(256 * KIB)
    window.update(2, 16 * MIB + 255 * KIB)
    expect(window.bytes).toBe(256 * KIB)
    window.update(2, 16 * MIB + 256 * KIB)
    expect(window.bytes).toBe(512 * KIB)
  })

  it('stays within its bounds, of four chunks, whatever happens', () => {
    const step = fc.tuple(fc.nat(2), fc.nat(8 * MIB))
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const window = new PushWindow()
        let [faults, installed] = [0, 0]
        for (const [more, bytes] of steps) {
          const before = window.bytes
          faults += more
          installed += bytes
          window.update(faults, installed)
          expect(window.chunkBytes).toBe(window.bytes / 4)
          const grown = Math.min(4 * MIB, before * 2)
          expect(more > 0 ? [256 * KIB] : [before, grown]).toContain(window.bytes)
        }
      }),
    )
  })
})
