import { describe, expect, it } from 'vitest'
import type { RoundStatistics } from './stop-condition.ts'
import { evaluateStop, expectedDowntimeMs, formatStop, parseStop } from './stop-condition.ts'

/** 100 MB/s, 4 KiB pages, nothing beside the pages. */
const quiet: RoundStatistics = {
  round: 1,
  dirtyPages: 10_000,
  dirtyBytes: 40_960_000,
  bandwidth: 100e6,
  pauseOverheadMs: 0,
}

/** What the rules say after each round of a scripted trace of dirty pages. */
function play(
  rules: string,
  dirtyPages: readonly number[],
): { round: number; rule: string } | undefined {
  const parsed = parseStop(rules)
  for (const [index, pages] of dirtyPages.entries()) {
    const statistics = { ...quiet, round: index + 1, dirtyPages: pages, dirtyBytes: pages * 4096 }
    const decision = evaluateStop(parsed, statistics)
    if (decision !== undefined) return { round: index + 1, rule: decision.rule }
  }
  return undefined
}

describe('stop rules', () => {
  it('downtime: stops when the remaining pages fit the limit, by hand', () => {
    // 40,960,000 B at 100 MB/s take 409.6 ms; 7324 pages are the last that fit 300 ms.
    expect(expectedDowntimeMs(quiet)).toBeCloseTo(409.6, 6)
    expect(play('downtime=300ms', [10_000, 7325, 7324])).toEqual({ round: 3, rule: 'downtime' })
  })

  it('downtime: counts what a pause costs beside its pages', () => {
    const statistics = { ...quiet, dirtyPages: 1, dirtyBytes: 0, pauseOverheadMs: 301 }
    expect(evaluateStop(parseStop('downtime=300ms'), statistics)).toBeUndefined()
    const decision = evaluateStop(parseStop('downtime=301ms'), statistics)
    expect(decision).toEqual({
      rule: 'downtime',
      numbers: { expectedMs: 301, limitMs: 301, dirtyPages: 1, bandwidth: 100e6 },
    })
  })

  it('downtime: fires when nothing is dirty, whatever the pause costs beside', () => {
    const statistics = { ...quiet, dirtyPages: 0, dirtyBytes: 0, pauseOverheadMs: 999 }
    expect(evaluateStop(parseStop('downtime=1ms'), statistics)?.rule).toBe('downtime')
  })

  it('downtime: never fires on an unknown bandwidth while pages are dirty', () => {
    expect(evaluateStop(parseStop('downtime=300ms'), { ...quiet, bandwidth: 0 })).toBeUndefined()
  })

  it('max-rounds: stops whatever is left', () => {
    expect(play('max-rounds=3', [9, 9, 9, 9])).toEqual({ round: 3, rule: 'max-rounds' })
  })

  it('max-rounds: 30 where it is not given', () => {
    const forever = Array.from({ length: 40 }, () => 1e6)
    expect(play('few-dirty=50', forever)).toEqual({ round: 30, rule: 'max-rounds' })
    expect(formatStop(parseStop('few-dirty=50'))).toBe('few-dirty=50,max-rounds=30')
  })

  it('few-dirty: fewer than the limit, as in Xen', () => {
    expect(play('few-dirty=50', [51, 50, 49])).toEqual({ round: 3, rule: 'few-dirty' })
  })

  it('the first rule of the list that fires is named', () => {
    expect(play('few-dirty=50,downtime=300ms', [20])).toEqual({ round: 1, rule: 'few-dirty' })
    expect(play('downtime=300ms,few-dirty=50', [20])).toEqual({ round: 1, rule: 'downtime' })
  })

  it.each(['', 'foo=1', 'downtime', 'downtime=', 'downtime=5', 'max-rounds=0', 'max-rounds=1.5'])(
    'refuses %j',
    (text) => {
      expect(() => parseStop(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
    },
  )
})
