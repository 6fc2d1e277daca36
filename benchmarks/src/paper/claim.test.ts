import { PRESET_NAMES } from '@godwit/policy'
import { describe, expect, it } from 'vitest'
import { nameOf } from './cell.ts'
import { subjectsOf } from './claim.ts'
import { STILL_LOADS } from './loads.ts'
import { GRIDS, findGrid } from './paper.ts'

describe.each(GRIDS.map((grid) => [grid.name, grid] as const))('%s', (_name, grid) => {
  it.each(['quick', 'normal', 'full'] as const)('has cells of different names: %s', (scale) => {
    const names = grid.cells(scale).map(nameOf)
    expect(new Set(names).size).toBe(names.length)
    // Each can be named by `--only`, and names nothing else.
    const cells = grid.cells(scale)
    const [loads, ways] = [cells.map(({ load }) => load), cells.map(({ way }) => way)].map(
      (all) => new Set(all.map((name) => name.toLowerCase())),
    )
    expect([...loads!, ...ways!].filter((name) => /[\s,]/.test(name))).toEqual([])
    expect([...loads!].filter((name) => ways!.has(name))).toEqual([])
  })

  it('has the base in every group', () => {
    const groups = Map.groupBy(grid.cells('full'), (cell) => nameOf({ ...cell, way: '' }))
    for (const members of groups.values()) {
      expect(members.map(({ way }) => way)).toContain(grid.base)
    }
  })

  it('has a group for every claim, and a cell for every figure and bar', () => {
    const cells = grid.cells('normal')
    for (const claim of grid.claims) expect(subjectsOf([claim], cells)).not.toEqual([])
    for (const { shows } of grid.figures) expect(cells.some(shows)).toBe(true)
    for (const { way } of grid.bars) expect(cells.some((cell) => cell.way === way)).toBe(true)
  })
})

it.each(['quick', 'normal', 'full'] as const)(
  'presets have the loads of the survey: %s',
  (scale) => {
    const guests = (name: string): ReadonlyMap<string, string> =>
      new Map(
        findGrid(name)
          .cells(scale)
          .map(({ load, guest }) => [load, guest]),
      )
    expect(guests('presets')).toEqual(guests('survey'))
  },
)

it('auto is measured beside every preset, under every load that stores', () => {
  const groups = Map.groupBy(findGrid('presets').cells('normal'), ({ load }) => load)
  for (const [load, members] of groups) {
    const ways = members.map(({ way }) => way)
    const left = PRESET_NAMES.filter((name) => !ways.includes(name))
    expect(left).toEqual(STILL_LOADS.has(load) ? ['xen', 'qemu', 'ppc', 'bda', 'tpo', 'hmdc'] : [])
  }
  expect([...groups.keys()]).toContain('writer-random')
})

it('a claim is about the loads and sizes that it names', () => {
  const [, bda] = GRIDS
  const cells = bda!.cells('normal')
  const of = (percent: number): readonly string[] => {
    const claims = bda!.claims.filter(({ says }) => 'percent' in says && says.percent === percent)
    return subjectsOf(claims, cells).map(({ group }) => group)
  }
  expect(of(-9.85)).toEqual(['KCS, 1 GiB, 1 Gbit/s'])
  expect(of(-1.47)).toEqual(['IKCS, 1 GiB, 1 Gbit/s'])
})
