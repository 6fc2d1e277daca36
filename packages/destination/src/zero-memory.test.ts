import type { Clock, Region } from '@godwit/core'
import { MIB, systemClock } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { zeroInPieces } from './zero-memory.ts'

/** Regions of these lengths, full of ones, with a guard of ones at either end. */
function regionsOf(...lengths: number[]): Region[] {
  return lengths.map((length, id) => {
    const bytes = new Uint8Array(length + 2).fill(1).subarray(1, length + 1)
    return { id, name: `ram${id}`, bytes }
  })
}

describe('zeroInPieces', () => {
  const lengths = [1, 4095, 5 * 4096 + 7, 9 * MIB + 13, 8 * MIB]

  it('fills memory that is not fresh, and no more', async () => {
    const regions = regionsOf(...lengths)
    await zeroInPieces(systemClock)(regions, false)
    for (const { bytes } of regions) {
      expect(Buffer.compare(bytes, new Uint8Array(bytes.length))).toBe(0)
      const all = new Uint8Array(bytes.buffer)
      expect([all[0], all.at(-1)]).toEqual([1, 1])
    }
  })

  it('stores once to each page of fresh memory', async () => {
    const regions = regionsOf(...lengths)
    await zeroInPieces(systemClock)(regions, true)
    for (const { bytes } of regions) {
      let kept = 0
      for (const byte of bytes) kept += byte
      for (let at = 0; at < bytes.length; at += 4096) expect(bytes[at]).toBe(0)
      expect(bytes.at(-1)).toBe(0)
      // A piece has a store for its end, too.
      expect(bytes.length - kept).toBeLessThanOrEqual(Math.ceil(bytes.length / 4096) + 3)
    }
  })

  it('lets others have their turn', async () => {
    const [region] = regionsOf(9 * MIB)
    const seen: number[] = []
    const clock: Clock = {
      ...systemClock,
      soon(task) {
        // What is due before the task runs while a part of the memory is still to do.
        systemClock.soon(() => seen.push(region!.bytes.lastIndexOf(0) + 1))
        systemClock.soon(task)
      },
    }
    await zeroInPieces(clock)([region!], false)
    expect(seen).toEqual([4 * MIB, 8 * MIB, 9 * MIB])
  })
})
