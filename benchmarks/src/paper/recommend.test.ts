import { describe, expect, it } from 'vitest'
import type { WayFigures } from './recommend.ts'
import { recommend } from './recommend.ts'

function figures(way: string, totalMs: number, downtimeMs: number, bytes: number): WayFigures {
  return { way, totalMs, downtimeMs, transferredBytes: bytes }
}

function choose(...ways: WayFigures[]): string | undefined {
  return recommend(new Map([['one', ways]])).groups[0]?.way
}

describe('one load', () => {
  it('takes the fewest bytes of those that are about as quick', () => {
    const slow = figures('slow', 1060, 20, 10)
    expect(choose(figures('a', 1000, 20, 100), figures('b', 1040, 20, 90), slow)).toBe('b')
  })

  it('takes the simplest of equals', () => {
    expect(choose(figures('a', 1000, 20, 100), figures('b', 990, 20, 99))).toBe('a')
  })

  it('takes none with a long pause, if another has a short one', () => {
    expect(choose(figures('a', 1000, 300, 10), figures('b', 2000, 40, 100))).toBe('b')
    expect(choose(figures('a', 1000, 49, 10), figures('b', 2000, 1, 100))).toBe('a')
    expect(choose(figures('a', 1000, 300, 10), figures('b', 2000, 290, 100))).toBe('a')
  })
})

describe('a load that is not known', () => {
  it('gets the way that is never far from the best', () => {
    const both = recommend(
      new Map([
        ['one', [figures('a', 100, 9, 10), figures('b', 300, 9, 10), figures('c', 150, 9, 10)]],
        ['two', [figures('a', 100, 9, 40), figures('b', 100, 9, 10), figures('c', 100, 9, 15)]],
      ]),
    )
    expect(both).toMatchObject({ overall: 'c', worstRatio: 1.5 })
  })

  it('gets none that was not measured everywhere', () => {
    const groups = new Map([
      ['one', [figures('a', 100, 9, 10), figures('b', 50, 9, 5)]],
      ['two', [figures('a', 100, 9, 10)]],
      ['three', []],
    ])
    expect(recommend(groups)).toMatchObject({ overall: 'a', worstRatio: 2 })
    expect(recommend(new Map())).toMatchObject({ groups: [], overall: undefined })
  })
})
