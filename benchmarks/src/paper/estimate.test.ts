import { MIB } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import type { Cell } from './cell.ts'
import { expectedMs, expectedRunMs, formatAbout, limitMs, remainingMs } from './estimate.ts'
import { GRIDS } from './paper.ts'

const cell: Cell = {
  load: 'idle',
  way: 'plain',
  guest: 'idle',
  options: [],
  memoryBytes: 512 * MIB,
  linkRate: 125e6,
  competingRate: 0,
}

describe('the time of a run', () => {
  it('is start, memory and bytes on the link', () => {
    // 2.75 s, half of 6 s, and 512 MiB x 0.6 x 1.8 at 125 MB/s.
    expect(expectedRunMs(cell)).toBeCloseTo(2750 + 3000 + 4638.6, 0)
  })

  it('is longer beside a service, and where the service takes all', () => {
    const beside = (share: number): number =>
      expectedRunMs({ ...cell, competingRate: share * cell.linkRate })
    expect(beside(0.5)).toBeCloseTo(5750 + 2 * 4638.6, 0)
    expect(beside(1)).toBeCloseTo(5750 + 4 * 4638.6, 0)
    expect(limitMs(cell)).toBeGreaterThan(5 * expectedRunMs(cell))
  })

  it('is corrected by how long those took that are done', () => {
    expect(remainingMs(1000, 0, 50)).toBe(1000)
    expect(remainingMs(1000, 500, 1500)).toBe(3000)
  })

  it('is said in seconds, then in minutes', () => {
    expect([formatAbout(800), formatAbout(100_000)]).toEqual(['about 1 s', 'about 2 min'])
  })
})

describe.each(GRIDS.map((grid) => [grid.name, grid] as const))('%s', (_name, grid) => {
  it('takes less than half an hour, three minutes where it is quick', () => {
    const minutes = (cells: readonly Cell[]): number => expectedMs(cells) / 60_000
    expect(3 * minutes(grid.cells('normal'))).toBeLessThan(30)
    expect(minutes(grid.cells('quick'))).toBeLessThan(3)
  })
})
