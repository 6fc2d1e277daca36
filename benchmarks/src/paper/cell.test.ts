import { MIB } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import type { Cell } from './cell.ts'
import { formatLinkRate, groupOf, nameOf, orderOf, pickCells, rateOption } from './cell.ts'

function cellOf(load: string, way: string): Cell {
  const size = { memoryBytes: 64 * MIB, linkRate: 12.5e6, competingRate: 0 }
  return { load, way, guest: load, options: [], ...size }
}

const cells = ['a', 'b'].flatMap((load) => ['x', 'y', 'z'].map((way) => cellOf(load, way)))

describe('a cell', () => {
  it('is known by its group and its way', () => {
    expect(groupOf(cells[0]!)).toBe('a, 64 MiB, 100 Mbit/s')
    expect(nameOf(cells[0]!)).toBe('a, 64 MiB, 100 Mbit/s, x')
  })

  it('has a link by bits', () => {
    expect([formatLinkRate(125e6), formatLinkRate(312.5e6)]).toEqual(['1 Gbit/s', '2.5 Gbit/s'])
    expect(rateOption(37.5e6)).toBe('300000000bit')
  })
})

describe('the order of a repeat', () => {
  it('has all cells once, group by group, another way first each time', () => {
    const ways = (repeat: number): string =>
      orderOf(cells, repeat)
        .map(({ load, way }) => load + way)
        .join(' ')
    expect([0, 1, 2, 3].map(ways)).toEqual([
      'ax ay az bx by bz',
      'ay az ax by bz bx',
      'az ax ay bz bx by',
      'ax ay az bx by bz',
    ])
  })
})

describe('picking', () => {
  it.each([
    [undefined, 6],
    [['A'], 3],
    [['x', 'z'], 4],
    [[' x', 'Z '], 4],
    [['b', 'x'], 4],
  ])('%j leaves %i cells', (only, count) => {
    expect(pickCells(cells, only)).toHaveLength(count)
  })

  it.each([[['c']], [['a', 'c', ' X']], [['']]])('%j has a name that there is not', (only) => {
    const unknown = only.find((name) => !['a', ' X'].includes(name))
    expect(() => pickCells(cells, only)).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: `--only: there is no "${unknown}"; there are a, b, x, y, z`,
      }),
    )
  })
})
