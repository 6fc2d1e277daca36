import { describe, expect, it } from 'vitest'
import type { RoundStatistics } from './stop-condition.ts'
import {
  STOP_DEFAULT,
  evaluateStop,
  expectedDowntimeMs,
  formatStop,
  parseStop,
} from './stop-condition.ts'

/** 100 MB/s, 4 KiB pages, nothing beside the pages. */
const quiet: RoundStatistics = {
  round: 1,
  dirtyPages: 10_000,
  dirtyBytes: 40_960_000,
  bandwidth: 100e6,
  pauseBandwidth: 100e6,
  pauseOverheadMs: 0,
  lastDirtyPages: Infinity,
  firstRoundBytes: 1_000_000,
  laterRoundsBytes: 0,
  memoryBytes: 1_000_000,
  sentPages: 10_000,
  roundMs: 400,
  freshPages: 10_000,
}

/** What the rules say after each round of a scripted trace of dirty pages. */
function play(
  rules: string,
  dirtyPages: readonly number[],
): { round: number; rule: string } | undefined {
  const parsed = parseStop(rules)
  for (const [index, pages] of dirtyPages.entries()) {
    const lastDirtyPages = dirtyPages[index - 1] ?? Infinity
    const dirty = { dirtyPages: pages, lastDirtyPages, dirtyBytes: pages * 4096 }
    const statistics = { ...quiet, round: index + 1, ...dirty }
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

  it('downtime: by what the pause gets, and not the rounds', () => {
    const capped = { ...quiet, pauseBandwidth: 500e3 }
    expect(expectedDowntimeMs(capped)).toBeCloseTo(81_920, 6)
    expect(evaluateStop(parseStop('downtime=50ms'), capped)).toBeUndefined()
    const floor = { ...quiet, bandwidth: 5e6 }
    expect(evaluateStop(parseStop('downtime=410ms'), floor)!.numbers).toMatchObject({
      bandwidth: 100e6,
    })
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
    expect(
      evaluateStop(parseStop('downtime=300ms'), { ...quiet, pauseBandwidth: 0 }),
    ).toBeUndefined()
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

  it('ratio: when three quarters of round 1 were sent again, by hand', () => {
    const at = (laterRoundsBytes: number) =>
      evaluateStop(parseStop('ratio=0.75'), { ...quiet, laterRoundsBytes })
    expect(at(749_999)).toBeUndefined()
    expect(at(750_000)).toEqual({
      rule: 'ratio',
      numbers: {
        ratio: 0.75,
        least: 0.75,
        firstRoundBytes: 1_000_000,
        laterRoundsBytes: 750_000,
      },
    })
    // A guest that is nothing but zeros: 0 of 0 is no ratio.
    const none = { ...quiet, firstRoundBytes: 0 }
    expect(evaluateStop(parseStop('ratio'), none)).toBeUndefined()
  })

  it('wws: when a round leaves more than nine tenths of what the last one left', () => {
    expect(play('wws', [1000, 900, 810, 730])).toEqual({ round: 4, rule: 'wws' })
    expect(play('wws=0.5', [1000, 500, 251])).toEqual({ round: 3, rule: 'wws' })
    const decision = evaluateStop(parseStop('wws'), { ...quiet, dirtyPages: 9, lastDirtyPages: 9 })
    expect(decision!.numbers).toEqual({ dirtyPages: 9, lastDirtyPages: 9, share: 0.9 })
    // What never was dirty did not stop shrinking.
    expect(play('wws', [0, 0])).toBeUndefined()
  })

  it('budget: when more than three times the memory was sent', () => {
    const at = (laterRoundsBytes: number) =>
      evaluateStop(parseStop('budget'), { ...quiet, laterRoundsBytes })
    expect(at(2_000_000)).toBeUndefined()
    expect(at(2_000_001)).toEqual({
      rule: 'budget',
      numbers: { totalBytes: 3_000_001, memoryBytes: 1_000_000, factor: 3 },
    })
    const half = evaluateStop(parseStop('budget=0.5'), quiet)
    expect(half!.numbers).toMatchObject({ totalBytes: 1_000_000, factor: 0.5 })
  })

  it('A+B: when both do, with the numbers of both', () => {
    const rules = parseStop('ratio=0.75+wws=0.9')
    const sent = { ...quiet, laterRoundsBytes: 900_000 }
    const shrinking = { ...sent, dirtyPages: 50, lastDirtyPages: 100 }
    const stalled = { ...sent, dirtyPages: 99, lastDirtyPages: 100 }
    expect(evaluateStop(rules, shrinking)).toBeUndefined()
    expect(evaluateStop(rules, { ...stalled, laterRoundsBytes: 0 })).toBeUndefined()
    expect(evaluateStop(rules, stalled)).toEqual({
      rule: 'ratio+wws',
      numbers: {
        ratio: 0.9,
        least: 0.75,
        firstRoundBytes: 1_000_000,
        laterRoundsBytes: 900_000,
        dirtyPages: 99,
        lastDirtyPages: 100,
        share: 0.9,
      },
    })
  })

  it('by default: ratio beside downtime, and only where rounds leave no less', () => {
    const rules = parseStop(STOP_DEFAULT)
    expect(formatStop(rules)).toBe(STOP_DEFAULT)
    const slow = { ...quiet, pauseBandwidth: 1e6, laterRoundsBytes: 2_000_000 }
    const left = { ...slow, dirtyPages: 8000, lastDirtyPages: 10_000 }
    expect(evaluateStop(rules, left)).toBeUndefined()
    expect(evaluateStop(rules, { ...left, lastDirtyPages: 8000 })?.rule).toBe('ratio+wws')
    const quick = { ...left, lastDirtyPages: 8000, pauseBandwidth: 1e9 }
    expect(evaluateStop(rules, quick)?.rule).toBe('downtime')
  })

  it.each([
    ['ratio', 'ratio=0.75'],
    ['wws', 'wws=0.9'],
    ['budget', 'budget=3'],
    ['budget+wws=0.5,ratio=2', 'budget=3+wws=0.5,ratio=2'],
  ])('%s is %s', (text, full) => {
    expect(formatStop(parseStop(text))).toBe(`${full},max-rounds=30`)
  })

  it('the first rule of the list that fires is named', () => {
    expect(play('few-dirty=50,downtime=300ms', [20])).toEqual({ round: 1, rule: 'few-dirty' })
    expect(play('downtime=300ms,few-dirty=50', [20])).toEqual({ round: 1, rule: 'downtime' })
  })

  it.each([
    '',
    'foo=1',
    'downtime',
    'downtime=',
    'downtime=5',
    'max-rounds',
    'max-rounds=0',
    'max-rounds=1.5',
    'ratio=',
    'ratio=0',
    'ratio=x',
    'wws=-1',
    'budget=Infinity',
    'ratio+',
    'wws+foo',
    '__proto__=1',
  ])('refuses %j', (text) => {
    expect(() => parseStop(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
})
