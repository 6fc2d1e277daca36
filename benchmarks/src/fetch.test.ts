import type { Report } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import type { FetchSamples } from './fetch.ts'
import { choosePatterns, fetchCases } from './fetch.ts'

function reportOf(count: number, stepsAfter: number): Report {
  const faults = { count, p50Us: 1, p99Us: 1, maxUs: 1, blockedMs: 1 }
  const guestProof = { stepsBefore: 5, stepsAfter, continuous: true }
  return { faults, guestProof } as Report
}

/** By order: waits and accesses of each repeat. */
function samplesOf(push: [number, number][], bubbles: [number, number][]): FetchSamples {
  const reports = (pairs: [number, number][]): Report[] => pairs.map((pair) => reportOf(...pair))
  const slow = reports(push.map(() => [400, 400]))
  return { demand: slow, push: reports(push), prepage: slow, bubbles: reports(bubbles) }
}

describe('the cases of fetch', () => {
  it('judge bubbles by the share of accesses that waited, against push in the same repeat', () => {
    const judge = (bubbles: [number, number][]): [number | undefined, boolean | undefined] => {
      const push: [number, number][] = [
        [100, 200],
        [100, 1000],
        [100, 400],
      ]
      const barred = fetchCases('seq', 500, samplesOf(push, bubbles)).filter(({ bar }) => bar)
      expect(barred.map(({ name, against }) => [name, against?.name])).toEqual([
        ['seq, bubbles', 'push'],
      ])
      return [barred[0]!.ratio, barred[0]!.pass]
    }
    const half: [number, number][] = [
      [200, 800],
      [50, 1000],
      [100, 800],
    ]
    expect(judge(half)).toEqual([0.5, true])
    const more = half.map(([waits, steps]): [number, number] => [waits + 1, steps])
    expect(judge(more)[1]).toBe(false)
  })

  it('tell waits and accesses per second', () => {
    const cases = fetchCases('clusters', 500, samplesOf([[300, 310]], [[20, 6000]]))
    const find = (metric: string, order: string): readonly [number, number | undefined] => {
      const one = cases.find((each) => each.metric === metric && each.name.endsWith(order))!
      return [one.median, one.ratio]
    }
    expect(find('waits', 'push')).toEqual([600, undefined])
    expect(find('waits', 'bubbles')).toEqual([40, 40 / 600])
    expect(find('accesses', 'demand')).toEqual([800, undefined])
    expect(find('accesses', 'bubbles')).toEqual([12_000, 15])
  })

  it('are of the guests that are asked for', () => {
    expect(choosePatterns({})).toEqual(['seq', 'clusters'])
    expect(choosePatterns({ only: ['clusters'] })).toEqual(['clusters'])
    expect(() => choosePatterns({ only: ['seq', 'rand'] })).toThrow('"rand" is not a guest')
  })
})
