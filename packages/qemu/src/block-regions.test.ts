import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cutBlocks, joinRegions } from './block-regions.ts'

const gib4 = 2 ** 32

describe('blocks of memory', () => {
  it('are a region each, and several where they are larger than 4 GiB', () => {
    const blocks = [
      { name: 'pc.ram', byteLength: 2 * gib4 + 4096 },
      { name: 'm1', byteLength: gib4 },
      { name: '0000:00:01.0/vga.vram', byteLength: 2 ** 24 },
    ]
    expect(cutBlocks(blocks).map(({ shapes }) => shapes)).toEqual([
      [
        { id: 0, name: 'pc.ram#0', byteLength: gib4 },
        { id: 1, name: 'pc.ram#1', byteLength: gib4 },
        { id: 2, name: 'pc.ram#2', byteLength: 4096 },
      ],
      [{ id: 3, name: 'm1', byteLength: gib4 }],
      [{ id: 4, name: '0000:00:01.0/vga.vram', byteLength: 2 ** 24 }],
    ])
  })

  const names = fc.constantFrom('a', 'b', 'a#0', 'a#1', 'a#0#0', 'b#', '#1', 'a\n#2', 'a#01')
  const shape = fc.record({ name: names, byteLength: fc.constantFrom(4096, gib4, gib4 + 4096) })

  it('are known again by their regions, whatever they are called', () => {
    const lengths = fc.constantFrom(4096, gib4, gib4 + 4096, 3 * gib4)
    const blocks = fc.uniqueArray(fc.record({ name: names, byteLength: lengths }), {
      selector: ({ name }) => name,
    })
    const property = fc.property(blocks, (some) => {
      const cut = cutBlocks(some)
      const regions = cut.flatMap(({ shapes }) => shapes)
      expect(regions.map(({ id }) => id)).toEqual(regions.map((_, index) => index))
      expect(regions.every(({ byteLength }) => byteLength <= gib4)).toBe(true)
      expect(joinRegions(regions)).toEqual(cut)
    })
    fc.assert(property)
  })

  it('are of regions cut in one way only: any others are those of no blocks', () => {
    const property = fc.property(fc.array(shape, { maxLength: 4 }), (some) => {
      const regions = some.map((one, id) => ({ ...one, id }))
      const again = cutBlocks(joinRegions(regions) ?? []).flatMap(({ shapes }) => shapes)
      expect([[], regions]).toContainEqual(again)
    })
    fc.assert(property)
  })

  it.each([
    [[['a#0', 4096]]],
    [[['a', gib4 + 4096]]],
    [[['a#1', 4096]]],
    [
      [
        ['a#0', gib4],
        ['b', 4096],
        ['a#1', 4096],
      ],
    ],
    [
      [
        ['a#0', 4096],
        ['a#1', gib4],
      ],
    ],
    [
      [
        ['a#0', gib4],
        ['a#2', 4096],
      ],
    ],
  ] as const)('are not these: %j', (regions) => {
    const shapes = regions.map(([name, byteLength], id) => ({ id, name, byteLength }))
    expect(joinRegions(shapes)).toBeUndefined()
  })
})
