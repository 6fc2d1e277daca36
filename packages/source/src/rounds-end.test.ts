import type { MigrationMode } from '@godwit/core'
import { systemClock } from '@godwit/core'
import type { RoundStatistics } from '@godwit/policy'
import { Auto, STOP_DEFAULT, checkPolicy, parseStop } from '@godwit/policy'
import { describe, expect, it } from 'vitest'
import { DecisionLog } from './decision-log.ts'
import type { SourceOptions } from './options.ts'
import { RoundsEnd } from './rounds-end.ts'

const none = { hasAside: false, areAllLeft: false, heldPages: 0 }

/** 2,560 pages are left of 2,560, at 20 MB/s: 524 ms; nine tenths of round 1 were sent again. */
const stalled = {
  round: 2,
  dirtyPages: 2560,
  lastDirtyPages: 2560,
  dirtyBytes: 2560 * 4096,
  bandwidth: 20e6,
  pauseBandwidth: 20e6,
  pauseOverheadMs: 0,
  firstRoundBytes: 1e7,
  laterRoundsBytes: 9e6,
  memoryBytes: 1e7,
  sentPages: 2560,
  roundMs: 524,
  freshPages: 2560,
} as RoundStatistics

function endOf(options: Partial<SourceOptions>, mode: MigrationMode = 'hybrid'): RoundsEnd {
  const all = { mode, stop: parseStop(STOP_DEFAULT), ...options } as SourceOptions
  return new RoundsEnd(all, new DecisionLog(systemClock, undefined))
}

/** Which rule, and what is next. */
function said(one: RoundsEnd, statistics: RoundStatistics, pages = none): unknown[] {
  const end = one.decide(statistics, pages, 1e3)
  return [end?.decision.rule, end?.next]
}

describe('rounds that do not get there', () => {
  it.each([
    [STOP_DEFAULT, 'ratio+wws'],
    ['max-rounds=2', 'max-rounds'],
    ['ratio', 'ratio'],
    ['wws', 'wws'],
    ['budget=1.5', 'budget'],
  ])('end in post-copy where the mode has it, else in the pause: %s', (text, rule) => {
    const stop = parseStop(text)
    expect(said(endOf({ stop, hybrid: { stall: true } }), stalled)).toEqual([rule, 'post-copy'])
    expect(said(endOf({ stop }, 'pre-copy'), stalled)).toEqual([rule, 'switch-over'])
  })

  it('by the rules of hybrid, and where all is held to the end', () => {
    const stop = parseStop('few-dirty=1')
    expect(said(endOf({ stop, hybrid: { rounds: 2 } }), stalled)).toEqual(['rounds', 'post-copy'])
    expect(said(endOf({ stop, hybrid: { rounds: 3 } }), stalled)).toEqual([undefined, undefined])
    const held = { ...none, areAllLeft: true, heldPages: 9 }
    expect(said(endOf({ stop }), stalled, held)).toEqual(['held', 'post-copy'])
    expect(said(endOf({ stop }, 'pre-copy'), stalled, held)).toEqual(['held', 'switch-over'])
  })

  it('a number of rounds of hybrid may be as large as the cap', () => {
    const last = { ...stalled, round: 30 }
    const stop = parseStop('few-dirty=1')
    expect(said(endOf({ stop, hybrid: { rounds: 30 } }), last)).toEqual(['max-rounds', 'post-copy'])
  })

  it('beside auto', () => {
    const terms = { targetMs: 50, canPostCopy: true, canThrottle: false, canPeek: false }
    const rounds = { ...stalled, lastDirtyPages: 5120 }
    const one = endOf({ stop: parseStop('max-rounds=2'), auto: new Auto(terms) })
    expect(said(one, rounds)).toEqual(['max-rounds', 'post-copy'])
  })
})

describe('rounds that got there', () => {
  const few = { ...stalled, dirtyPages: 40, dirtyBytes: 40 * 4096 }

  it.each([
    ['downtime=300ms', 'downtime'],
    ['few-dirty=50', 'few-dirty'],
    // Whatever else fires: the pause is short.
    ['max-rounds=2,wws,downtime=300ms', 'downtime'],
    ['ratio+few-dirty=50', 'ratio+few-dirty'],
  ])('end in the pause: %s', (stop, rule) => {
    const sent = { ...few, lastDirtyPages: 41 }
    const rules = { stop: parseStop(stop), hybrid: { rounds: 1 } }
    expect(said(endOf(rules), sent)).toEqual([rule, 'switch-over'])
    expect(said(endOf(rules), sent, { ...none, hasAside: true })).toEqual([rule, 'post-copy'])
  })

  it("as a rule of one's own may say, too", () => {
    const mine = (meansShortPause?: boolean) => {
      const rule = { name: 'mine', text: 'mine', evaluate: () => ({ rule: 'mine', numbers: {} }) }
      const stop = meansShortPause === undefined ? rule : { ...rule, meansShortPause }
      return endOf({ stop: checkPolicy({ stop }).stop! })
    }
    expect(said(mine(), few)).toEqual(['mine', 'post-copy'])
    expect(said(mine(true), few)).toEqual(['mine', 'switch-over'])
    const bad = { name: 'mine', text: 'mine', evaluate: () => undefined, meansShortPause: 1 }
    expect(() => checkPolicy({ stop: bad as never })).toThrow('stop.meansShortPause is to be a')
  })
})

it('what was asked for goes before all rules', () => {
  const nothing = { ...stalled, dirtyPages: 0, dirtyBytes: 0 }
  const terms = { targetMs: 50, canPostCopy: true, canThrottle: false, canPeek: false }
  for (const options of [{}, { auto: new Auto(terms) }]) {
    for (const statistics of [stalled, nothing]) {
      const one = endOf(options)
      one.askForPostCopy()
      expect(said(one, statistics)).toEqual(['asked', 'post-copy'])
      one.askForPostCopy({ rule: 'timeout', numbers: { limitMs: 5 } })
      expect(one.decide(statistics, none, 1)!.decision).toEqual({
        rule: 'timeout',
        numbers: { round: 2, limitMs: 5 },
      })
    }
  }
})

describe('a guest that has stopped by itself', () => {
  const stop = { stoodMs: 12, numbers: { passes: 3 } }

  it('ends the rounds, whatever the rules say, and tells since when it stands', () => {
    const end = endOf({ stop: parseStop('max-rounds=30') }, 'pre-copy')
    expect(end.decide(stalled, none, 1e3)).toBeUndefined()
    expect(end.decide(stalled, none, 1e3, stop)).toEqual({
      decision: { rule: 'guest', numbers: { passes: 3, round: 2, dirtyPages: 2560 } },
      next: 'switch-over',
      stoodMs: 12,
    })
  })
})
