import { describe, expect, it } from 'vitest'
import type { HybridRules } from './hybrid.ts'
import { HybridSwitch, MODE_DEFAULT, parseMode } from './hybrid.ts'
import type { RoundStatistics } from './stop-condition.ts'

/** What the rules say after rounds that left so many pages dirty, `stepMs` each. */
function decisions(rules: HybridRules, dirty: readonly number[], stepMs = 100, sentPages = 1) {
  const one = new HybridSwitch(rules)
  return dirty.map((dirtyPages, i) => {
    const lastDirtyPages = i === 0 ? Infinity : dirty[i - 1]
    const statistics = { round: i + 1, dirtyPages, lastDirtyPages, sentPages } as RoundStatistics
    return one.decide(statistics, (i + 1) * stepMs)
  })
}

describe('the switch from rounds to post-copy', () => {
  it('comes after so many rounds', () => {
    const fired = { rule: 'rounds', numbers: { round: 3, rounds: 3 } }
    expect(decisions({ rounds: 3 }, [9, 9, 9])).toEqual([undefined, undefined, fired])
  })

  it('comes after so much time', () => {
    const fired = { rule: 'after', numbers: { elapsedMs: 200, afterMs: 150 } }
    expect(decisions({ afterMs: 150 }, [9, 9])).toEqual([undefined, fired])
    expect(decisions({ afterMs: 100 }, [9])[0]!.rule).toBe('after')
  })

  it('comes when a round leaves more than nine tenths of what the last one left', () => {
    const fired = { rule: 'stall', numbers: { round: 4, dirtyPages: 73, lastDirtyPages: 81 } }
    expect(decisions({ stall: true }, [100, 90, 81, 73])).toEqual([
      undefined,
      undefined,
      undefined,
      fired,
    ])
    expect(decisions({ stall: true }, [1e9])).toEqual([undefined])
  })

  it('does not come for a round of no pages: the selector waits', () => {
    expect(decisions({ stall: true }, [100, 100, 120], 100, 0)).toEqual(Array(3).fill(undefined))
    expect(decisions({ rounds: 2, stall: true }, [100, 100], 100, 0)[1]!.rule).toBe('rounds')
  })

  it('comes by the first rule that fires', () => {
    const rules = { rounds: 5, afterMs: 1000, stall: true }
    const stall = { rule: 'stall', numbers: { round: 2, dirtyPages: 10, lastDirtyPages: 10 } }
    expect(decisions(rules, [10, 10])).toEqual([undefined, stall])
    expect(decisions(rules, [32, 16, 8, 4, 2])[4]!.rule).toBe('rounds')
    expect(decisions(rules, [32, 16], 600)[1]!.rule).toBe('after')
  })

  it('comes when it is asked for, and never by itself without rules', () => {
    const one = new HybridSwitch({})
    const after = (round: number) => one.decide({ round, dirtyPages: 5 } as RoundStatistics, 1e6)
    expect([after(1), after(2)]).toEqual([undefined, undefined])
    expect(one.asked(2)).toBeUndefined()
    one.ask()
    expect(one.asked(3)).toEqual({ rule: 'asked', numbers: { round: 3 } })
    one.ask({ rule: 'timeout', numbers: { limitMs: 5 } })
    expect(one.asked(3)).toEqual({ rule: 'timeout', numbers: { round: 3, limitMs: 5 } })
  })
})

describe('parseMode', () => {
  it.each<[string, HybridRules]>([
    ['pre-copy', {}],
    ['stop-copy', {}],
    ['post-copy', {}],
    ['hybrid', { stall: true }],
    ['hybrid,stall', { stall: true }],
    ['hybrid,rounds=1', { rounds: 1 }],
    ['hybrid,after=2s', { afterMs: 2000 }],
    ['hybrid,rounds=3,after=500ms,stall', { rounds: 3, afterMs: 500, stall: true }],
    ['hybrid,rounds=3,rounds=4', { rounds: 4 }],
    ['hybrid,working-set', { workingSetMs: 1000, rounds: 1 }],
    ['hybrid,working-set=250ms', { workingSetMs: 250, rounds: 1 }],
    ['hybrid,working-set=1m', { workingSetMs: 60_000, rounds: 1 }],
    ['hybrid,rounds=3,working-set=2s', { workingSetMs: 2000, rounds: 3 }],
    ['hybrid,working-set,stall', { workingSetMs: 1000, stall: true }],
  ])('accepts %s', (text, hybrid) => {
    expect(parseMode(text)).toEqual({ mode: text.split(',')[0], hybrid })
  })

  it.each([
    '',
    'postcopy',
    'HYBRID',
    'pre-copy,rounds=1',
    'post-copy,stall',
    'hybrid,',
    'hybrid,rounds',
    'hybrid,rounds=',
    'hybrid,rounds=0',
    'hybrid,rounds=-1',
    'hybrid,rounds=1.5',
    'hybrid,rounds=x',
    'hybrid,after',
    'hybrid,after=soon',
    'hybrid,stall=1',
    'hybrid;stall',
    'hybrid,working-set=',
    'hybrid,working-set=0s',
    'hybrid,working-set=61s',
    'hybrid,working-set=long',
    'pre-copy,working-set',
  ])('refuses %j', (text) => {
    expect(() => parseMode(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  it('knows the default', () => {
    expect(parseMode(MODE_DEFAULT).mode).toBe('pre-copy')
  })
})
