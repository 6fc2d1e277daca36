import { MIB } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import type { AutoDecision, AutoTerms } from './auto.ts'
import { Auto } from './auto.ts'
import type { RoundStatistics } from './stop-condition.ts'

const pageBytes = 4096
/** 65,536 pages. */
const memoryBytes = 256 * MIB
const memoryPages = memoryBytes / pageBytes
/** 25,600 pages a second. */
const bandwidth = 100 * MIB

/** A round: pages sent, pages stored to meanwhile, pages that are lacking after it. */
type Round = readonly [sent: number, fresh: number, left: number]

const able: AutoTerms = { targetMs: 300, canPostCopy: true, canThrottle: true, canPeek: true }
const plain: AutoTerms = { ...able, canPostCopy: false, canThrottle: false, canPeek: false }

/** What rounds at full bandwidth make the rules see. */
function statisticsOf(rounds: readonly Round[], more: Partial<RoundStatistics> = {}) {
  return rounds.map(([sentPages, freshPages, dirtyPages], index): RoundStatistics => {
    const sent = rounds.slice(0, index + 1).map(([pages]) => pages * pageBytes)
    const all = sent.reduce((sum, bytes) => sum + bytes, 0)
    return {
      round: index + 1,
      dirtyPages,
      lastDirtyPages: rounds[index - 1]?.[2] ?? Infinity,
      dirtyBytes: dirtyPages * pageBytes,
      bandwidth,
      pauseBandwidth: bandwidth,
      pauseOverheadMs: 0,
      firstRoundBytes: sent[0]!,
      laterRoundsBytes: all - sent[0]!,
      memoryBytes,
      sentPages,
      roundMs: ((sentPages * pageBytes) / bandwidth) * 1e3,
      freshPages,
      ...more,
    }
  })
}

/** Decisions until the rounds end. */
function play(auto: Auto, rounds: readonly Round[], more?: Partial<RoundStatistics>) {
  const decisions: AutoDecision[] = []
  for (const statistics of statisticsOf(rounds, more)) {
    decisions.push(auto.observe(statistics))
    if (decisions.at(-1)!.end !== undefined) break
  }
  return decisions
}

const full = memoryPages

describe('the target', () => {
  it('a guest that stores nothing is switched over after one round', () => {
    const [only] = play(new Auto(able), [[full, 0, 0]])
    expect(only!.end).toEqual({
      rule: 'downtime',
      numbers: { expectedMs: 0, limitMs: 300, dirtyPages: 0, bandwidth },
      next: 'switch-over',
    })
    expect(only!.texts).toEqual(['switch-over: 0 B left, 0 us of pause'])
  })

  it('7,680 pages are 300 ms, one more is not', () => {
    // 7,680 x 4,096 = 30 MiB; at 100 MiB/s 300 ms.
    expect(play(new Auto(plain), [[full, 7680, 7680]])[0]!.end!.numbers['expectedMs']).toBe(300)
    expect(play(new Auto(plain), [[full, 7681, 7681]])[0]!.end).toBeUndefined()
  })

  it('what a pause costs beside its pages counts', () => {
    const costs = { pauseOverheadMs: 100 }
    // 200 ms are left for pages: 5,120.
    expect(play(new Auto(plain), [[full, 5120, 5120]], costs)[0]!.end).toBeDefined()
    expect(play(new Auto(plain), [[full, 5121, 5121]], costs)[0]!.end).toBeUndefined()
  })

  it('another round that halves the pause and costs little is worth it', () => {
    // 1,920 pages take 75 ms: less than 3 % of 2,560 ms. 200 pages take 7.8 ms: not worth it.
    const [first, second] = play(new Auto(plain), [
      [full, 1920, 1920],
      [1920, 200, 200],
    ])
    expect(first).toEqual({
      texts: ['another round, short as it is: 7.50 MiB left, 75 ms of pause'],
    })
    expect(second!.end!.rule).toBe('downtime')
    // 1,970 pages take 77 ms: more than 3 %.
    expect(play(new Auto(plain), [[full, 1970, 1970]])[0]!.end).toBeDefined()
    // 1,900 left of 3,700: not halved.
    const slow = play(new Auto(plain), [
      [full, 3700, 3700],
      [3700, 1900, 1900],
    ])
    expect(slow[0]!.end).toBeDefined()
    const halved = play(new Auto(plain), [
      [full, 9000, 9000],
      [9000, 4600, 4600],
    ])
    expect(halved[1]!.end!.numbers['dirtyPages']).toBe(4600)
  })

  it('a cap of the pause, below that of the rounds or above', () => {
    const first: Round = [full, 7680, 7680]
    // 30 MiB at a tenth of the rate: 3 s. At twice the rate twice as many are 300 ms.
    const slow = { pauseBandwidth: bandwidth / 10 }
    expect(play(new Auto(plain), [first], slow)[0]!.end).toBeUndefined()
    const [one] = play(new Auto(plain), [[full, 768, 768]], slow)
    expect(one!.end!.numbers).toMatchObject({ expectedMs: 300, bandwidth: bandwidth / 10 })
    const fast = { pauseBandwidth: 2 * bandwidth }
    const [two] = play(new Auto(plain), [[full, 15_360, 15_360]], fast)
    expect(two!.end!.numbers).toMatchObject({ expectedMs: 300, bandwidth: 2 * bandwidth })
    expect(play(new Auto(plain), [[full, 15_361, 15_361]], fast)[0]!.end).toBeUndefined()
  })

  it('pages that deltas make small count as they travel', () => {
    // Round 2: 20,000 pages in 100 ms are 781 MiB/s; 19,000 more are 95 ms away.
    const auto = new Auto(plain)
    const [one, two] = statisticsOf([
      [full, 20_000, 20_000],
      [20_000, 19_000, 19_000],
    ])
    expect(auto.observe(one!).end).toBeUndefined()
    const decision = auto.observe({ ...two!, roundMs: 100 })
    expect(decision.end!.numbers['expectedMs']).toBeCloseTo(95)
  })
})

describe('rounds that get there', () => {
  it('go on, as many as it takes', () => {
    // 40,000 -> 20,000 -> 10,000 -> 5,200 (203 ms): each halves, and the total stays below 3 times.
    const decisions = play(new Auto(able), [
      [full, 10_000, 40_000],
      [40_000, 9000, 20_000],
      [20_000, 4000, 10_000],
      [10_000, 2400, 5200],
    ])
    expect(decisions.map(({ texts }) => texts)).toEqual([
      [],
      [],
      [],
      ['switch-over: 20.3 MiB left, 203 ms of pause'],
    ])
  })

  it('a look before each page where a quarter is dirtied again', () => {
    const auto = new Auto(able)
    const selector = auto.select.create([])
    expect([1, 2, 3].map((round) => selector.peeks(round))).toEqual([true, false, false])
    const [first, second] = play(auto, [
      [full, full / 4, full / 4],
      [full / 4, full / 16 + 1, full / 16 + 5000],
    ])
    expect(first!.texts).toEqual([])
    expect(second!.texts).toEqual(['clark-wws from round 3 on: 25 % as many pages dirtied as sent'])
    expect([1, 2, 3].map((round) => selector.peeks(round))).toEqual([true, true, true])
    const blind = new Auto({ ...able, canPeek: false }).select.create([])
    expect(blind.peeks(1)).toBe(false)
  })
})

/** A working set of 100 MiB that every round leaves: 25,600 pages, 1 s. */
const stalled: readonly Round[] = [
  [full, 25_600, 25_600],
  ...Array.from({ length: 40 }, (): Round => [25_600, 25_600, 25_600]),
]

describe('rounds that do not', () => {
  it('post-copy where it can be', () => {
    const decisions = play(new Auto(able), stalled)
    // Round 1 left 39 % and might have gone on so; rounds 2 and 3 brought nothing.
    expect(decisions).toHaveLength(3)
    expect(decisions.at(-1)).toEqual({
      texts: ['post-copy: rounds do not get there: 100 MiB left, 1.00 s of pause'],
      end: {
        rule: 'stall',
        numbers: { round: 3, dirtyPages: 25_600, lastDirtyPages: 25_600 },
        next: 'post-copy',
      },
    })
  })

  it('at once when round 1 has left all of memory', () => {
    const [only] = play(new Auto(able), [[full, full, full]])
    expect(only!.end).toEqual({
      rule: 'stall',
      numbers: { round: 1, dirtyPages: full, lastDirtyPages: full },
      next: 'post-copy',
    })
  })

  it('a burst is not taken for a guest that never rests', () => {
    const decisions = play(new Auto(able), [
      [full, 12_000, 12_000],
      [12_000, 14_000, 14_000],
      [14_000, 3000, 3000],
    ])
    expect(decisions.at(-1)!.end).toMatchObject({ rule: 'downtime', next: 'switch-over' })
  })

  it('a round of no pages is no stall, nor the end of one', () => {
    const waits: Round = [0, 0, 25_600]
    const waiting = [stalled[0]!, ...Array<Round>(10).fill(waits)]
    expect(play(new Auto(able), waiting).every(({ end }) => end === undefined)).toBe(true)
    // One round in vain, then a look, then another round in vain.
    const decisions = play(new Auto(able), [stalled[0]!, stalled[1]!, waits, stalled[2]!])
    expect(decisions).toHaveLength(4)
    expect(decisions.at(-1)!.end).toMatchObject({ rule: 'stall', next: 'post-copy' })
  })

  it('else half of what the link carries, and half of that', () => {
    const auto = new Auto({ ...able, canPostCopy: false })
    const over = { sentBytes: 1, dirtyBytes: 1, dirtyRate: 100 * MIB, ms: 1000 }
    expect(auto.throttle.next(0, over)).toBe(0)
    const decisions = play(auto, stalled.slice(0, 3))
    expect(decisions.at(-1)!.texts[0]).toBe(
      'dirty-limit 52.4 MB/s: rounds do not get there: 100 MiB left, 1.00 s of pause',
    )
    // dirty-limit aims at 0.9 of 50 MiB/s, and 100 are dirtied: 45 % of the time is left.
    expect(auto.throttle.next(0, over)).toBeCloseTo(0.55)
    expect(decisions.at(-1)!.end).toBeUndefined()
  })

  it('four limits, and then the pause', () => {
    const auto = new Auto({ ...able, canPostCopy: false, canPeek: false })
    // Rounds of 2,560 pages: bytes do not end it.
    const hard = stalled.map(
      ([sent, fresh, left], at): Round => [at === 0 ? sent : 2560, fresh, left],
    )
    const decisions = play(auto, hard)
    const limits = decisions
      .flatMap(({ texts }) => texts)
      .filter((text) => text.startsWith('dirty'))
    expect(limits.map((text) => text.split(':')[0])).toEqual([
      'dirty-limit 52.4 MB/s',
      'dirty-limit 26.2 MB/s',
      'dirty-limit 13.1 MB/s',
      'dirty-limit 6.55 MB/s',
    ])
    expect(decisions).toHaveLength(11)
    expect(decisions.at(-1)!.end).toMatchObject({ rule: 'wws', next: 'switch-over' })
  })

  it('else the pause, when what is left is as small as it ever was', () => {
    const decisions = play(new Auto(plain), [
      [full, 20_000, 20_000],
      [20_000, 25_000, 25_000],
      [25_000, 25_000, 25_000],
      [25_000, 20_500, 20_500],
    ])
    expect(decisions.map(({ texts }) => texts)).toEqual([
      [],
      [],
      ['waits for what was less after round 1: 97.7 MiB left, 977 ms of pause'],
      [
        expect.stringMatching(
          /^switch-over: rounds .* 801 ms of pause, and it will hardly be less$/,
        ),
      ],
    ])
  })

  it('or it will not be', () => {
    const grows = Array.from({ length: 9 }, (_, at): Round => [2560, 5120, 20_000 + 1500 * at])
    const decisions = play(new Auto(plain), grows)
    expect(decisions).toHaveLength(6)
    expect(decisions.at(-1)!.end).toEqual({
      rule: 'wws',
      numbers: { round: 6, dirtyPages: 27_500, lastDirtyPages: 26_000 },
      next: 'switch-over',
    })
  })
})

describe('caps', () => {
  it('3 times memory, the next round included', () => {
    // 65,536 + 2 x 50,000 pages were sent; 50,000 more would be 3.3 times memory.
    const [, , third] = play(new Auto({ ...plain, canThrottle: true }), [
      [full, 50_000, 50_000],
      [50_000, 40_000, 50_000],
      [50_000, 40_000, 44_000],
    ])
    expect(third).toMatchObject({ end: { rule: 'budget', next: 'switch-over' } })
    expect(third!.end!.numbers['totalBytes']).toBe((full + 100_000) * pageBytes)
  })

  it('30 rounds', () => {
    // Each leaves 85 % of the one before, of little that is sent: 30 rounds are not enough.
    const rounds = Array.from({ length: 40 }, (_, at): Round => [100, 9000, 60_000 - 100 * at])
    const auto = new Auto({ ...plain, canThrottle: true })
    const decisions = play(auto, rounds)
    expect(decisions.length).toBeLessThanOrEqual(30)
    expect(decisions.at(-1)!.end!.next).toBe('switch-over')
  })
})

it('says what it begins with', () => {
  expect(new Auto(able).beginning).toBe(
    'pre-copy, round 1 without what is dirty again, for a pause of 300 ms; else post-copy',
  )
  expect(new Auto({ ...plain, canThrottle: true }).beginning).toMatch(/300 ms; else a throttle$/)
  expect(new Auto(plain).text).toBe('auto,downtime=300ms')
  expect(new Auto(plain).beginning).toBe('pre-copy, for a pause of 300 ms; else a longer pause')
})
