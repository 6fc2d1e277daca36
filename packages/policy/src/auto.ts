/**
 * The preset `auto`: chooses how a migration goes on by what it observes, and says why. A machine
 * without clocks and guests: {@link Auto.observe} is told of every round and decides what is next.
 *
 * Let round k leave B(k) bytes, moved at v bytes per second. The pause is expected to take
 * o + B(k) / w, o being what it costs beside its pages, and w what a cap of its own makes of v. A
 * round that shrinks what is left by q = B(k) / B(k-1) will need n more of its kind,
 * q^n B(k) <= (target - o) w, which send B(k) (1 - q^n) / (1 - q). While that stays within 30
 * rounds and 3 times memory there is another round; when it twice in a row does not, post-copy, a
 * throttle or the pause, as may be.
 *
 * @module
 */
import { formatBytes, formatDurationMs, formatRate, formatShare } from '@godwit/core'
import { dirtyLimit } from './dirty-limit.ts'
import { PEEK_DEFAULT_MS, plainSelector } from './page-selector.ts'
import type { SelectSettings } from './select-option.ts'
import type { RoundStatistics, StopDecision } from './stop-condition.ts'
import type { ThrottlePolicy } from './throttle.ts'

/** What it may do, and aims at. */
export interface AutoTerms {
  /** The pause that is aimed at. */
  readonly targetMs: number
  /** Whether the guest may run at the destination before all of its pages are there. */
  readonly canPostCopy: boolean
  /** Whether time can be taken from the guest, and nobody else decides about that. */
  readonly canThrottle: boolean
  /** Whether stores are seen while a round goes on, and nobody else selects pages. */
  readonly canPeek: boolean
}

/** What is next, and why. */
export interface AutoDecision {
  /** One line for each thing that changes; none where it is just another round. */
  readonly texts: readonly string[]
  /** The rounds are over. */
  readonly end?: StopDecision & { readonly next: 'switch-over' | 'post-copy' }
}

export const AUTO_TARGET_MS = 300
/** As Xen has them. */
export const AUTO_ROUNDS_MAX = 30
export const AUTO_BUDGET = 3
/** Frames have a few bytes more than their pages. */
const frameShare = 1.01
/** A round that leaves more than this share of what the last one left has brought nothing. */
const stallShare = 0.9
/** Guests work in bursts: one round that brings nothing says little. */
const stallsMin = 2
/** Where so much of what a round sent is dirty again, a look before each page is sent pays. */
const peekShare = 0.25
/** Below this a round's time is mostly the round trip's. */
const usefulBytes = 1 << 20
/** When the target is met, another round must halve what is left at least, ... */
const worthShrink = 0.5
/** ... cost no more than so much of the time that went by, and spare the guest so much. */
const worthShare = 0.03
const worthMs = 10
/** A guest limited to half of what the link carries halves what is left with every round. */
const limitShare = 0.5
/** A guest that cannot do with a sixteenth of the link is not waited for. */
const limitsMax = 4
/** A set that is so much larger than the smallest is as small. */
const smallestSlack = 1.05
/** So many rounds after the smallest set none as small is expected any more. */
const patienceRounds = 5

/** Of one migration; use once. */
export class Auto {
  readonly #terms: AutoTerms
  #isPeeking = false
  /** What the guest may dirty per second. */
  #limit: number | undefined
  #limits = 0
  #stalls = 0
  #elapsedMs = 0
  /** Bytes of pages per second that rounds from 2 on moved, however they were encoded. */
  readonly #rates: number[] = []
  #smallestPages = Infinity
  #smallestRound = 0

  constructor(terms: AutoTerms) {
    this.#terms = terms
  }

  /** As the report has it among the stop rules. */
  get text(): string {
    return `auto,downtime=${this.#terms.targetMs}ms`
  }

  /** What it begins with. */
  get beginning(): string {
    const { targetMs, canPostCopy, canThrottle, canPeek } = this.#terms
    const first = canPeek ? ', round 1 without what is dirty again' : ''
    const need = canPostCopy ? 'post-copy' : canThrottle ? 'a throttle' : 'a longer pause'
    return `pre-copy${first}, for a pause of ${formatDurationMs(targetMs)}; else ${need}`
  }

  /** All that is dirty, but for what is dirty again when its turn comes: where that pays. */
  get select(): SelectSettings {
    const peeks = (round: number): boolean =>
      this.#terms.canPeek && (round === 1 || this.#isPeeking)
    const selector = { ...plainSelector, peekMs: PEEK_DEFAULT_MS, peeks }
    return { name: 'auto', text: 'auto', create: () => selector }
  }

  /** Nothing, and `dirty-limit` from when it is needed. */
  get throttle(): ThrottlePolicy {
    return {
      name: 'auto',
      setting: 'auto',
      next: (share, statistics) =>
        this.#limit === undefined ? share : dirtyLimit(this.#limit, 'auto').next(share, statistics),
    }
  }

  /** A round has ended. */
  observe(statistics: RoundStatistics): AutoDecision {
    const { dirtyPages, dirtyBytes, pauseOverheadMs } = statistics
    this.#note(statistics)
    const rate = this.#rateOf(statistics)
    const pauseRate = pauseRateOf(rate, statistics)
    const lastMs = dirtyPages === 0 ? 0 : pauseRate > 0 ? (dirtyBytes / pauseRate) * 1e3 : Infinity
    const expectedMs = pauseOverheadMs + lastMs
    const { targetMs: limitMs } = this.#terms
    const left = `${formatBytes(dirtyBytes)} left, ${formatDurationMs(expectedMs)} of pause`
    const last = this.#lastBy(statistics)
    if (dirtyPages === 0 || expectedMs <= limitMs) {
      if (last === undefined && this.#isWorth(statistics, lastMs)) {
        this.#stalls = 0
        return { texts: [`another round, short as it is: ${left}`] }
      }
      const numbers = { expectedMs, limitMs, dirtyPages, bandwidth: pauseRate }
      const end = { rule: 'downtime', numbers, next: 'switch-over' } as const
      return { texts: [`switch-over: ${left}`], end }
    }
    if (last !== undefined) return this.#end(last, `the most was sent: ${left}`)
    // The selector waits, which tells nothing of the link; the rule `held` says how long.
    if (statistics.sentPages === 0) return { texts: [] }
    if (this.#converges(statistics, rate)) {
      this.#stalls = 0
      return { texts: this.#peek(statistics) }
    }
    this.#stalls += isRewritten(statistics) ? stallsMin : 1
    if (this.#stalls < stallsMin) return { texts: this.#peek(statistics) }
    return this.#giveUp(statistics, rate, left)
  }

  #note({ round, dirtyPages, sentPages, roundMs, dirtyBytes }: RoundStatistics): void {
    this.#elapsedMs += roundMs
    if (dirtyPages <= this.#smallestPages) {
      this.#smallestPages = dirtyPages
      this.#smallestRound = round
    }
    if (round === 1 || dirtyPages === 0 || roundMs <= 0) return
    const sentBytes = (sentPages * dirtyBytes) / dirtyPages
    if (sentBytes >= usefulBytes) this.#rates.push((sentBytes / roundMs) * 1e3)
  }

  /**
   * Bytes of pages per second: of dirty ones, which may be encoded in less; the slower of the last
   * two rounds. Round 1 has pages of all kinds and tells of the link alone.
   */
  #rateOf({ bandwidth }: RoundStatistics): number {
    const [one, other = one] = this.#rates.slice(-2)
    return one === undefined ? bandwidth : Math.max(bandwidth, Math.min(one, other!))
  }

  /** Another round might pass a cap: which one. */
  #lastBy(statistics: RoundStatistics): StopDecision | undefined {
    const { round, dirtyPages, dirtyBytes, memoryBytes } = statistics
    if (round >= AUTO_ROUNDS_MAX) {
      return { rule: 'max-rounds', numbers: { round, limit: AUTO_ROUNDS_MAX, dirtyPages } }
    }
    const totalBytes = statistics.firstRoundBytes + statistics.laterRoundsBytes
    if (totalBytes + frameShare * dirtyBytes <= AUTO_BUDGET * memoryBytes) return undefined
    const numbers = { totalBytes, memoryBytes, factor: AUTO_BUDGET, dirtyPages }
    return { rule: 'budget', numbers }
  }

  /** Another round costs little and makes the pause much shorter. @param lastMs - of the round */
  #isWorth(statistics: RoundStatistics, lastMs: number): boolean {
    if (lastMs <= worthMs || lastMs > worthShare * this.#elapsedMs) return false
    return shrinkOf(statistics) <= worthShrink
  }

  #converges(statistics: RoundStatistics, rate: number): boolean {
    const { round, dirtyBytes, pauseOverheadMs, bandwidth, memoryBytes } = statistics
    const pauseRate = pauseRateOf(rate, statistics)
    const targetBytes = ((this.#terms.targetMs - pauseOverheadMs) / 1e3) * pauseRate
    const shrink = shrinkOf(statistics)
    if (targetBytes <= 0 || shrink > stallShare) return false
    if (shrink === 0) return true
    const rounds = Math.max(1, Math.ceil(Math.log(targetBytes / dirtyBytes) / Math.log(shrink)))
    const pageBytes = (dirtyBytes * (1 - shrink ** rounds)) / (1 - shrink)
    const bytes = pageBytes * Math.min(1, bandwidth / rate)
    const { firstRoundBytes, laterRoundsBytes } = statistics
    const isWithin = firstRoundBytes + laterRoundsBytes + bytes <= AUTO_BUDGET * memoryBytes
    return isWithin && round + rounds <= AUTO_ROUNDS_MAX
  }

  /** Looks before each page from the next round on, where enough was sent in vain. */
  #peek({ round, freshPages, sentPages }: RoundStatistics): string[] {
    if (this.#isPeeking || !this.#terms.canPeek || freshPages <= peekShare * sentPages) return []
    this.#isPeeking = true
    const share = formatShare(sentPages === 0 ? 1 : freshPages / sentPages)
    return [`clark-wws from round ${round + 1} on: ${share} as many pages dirtied as sent`]
  }

  /** Rounds do not get there. */
  #giveUp(statistics: RoundStatistics, rate: number, left: string): AutoDecision {
    const { canPostCopy, canThrottle } = this.#terms
    const { round, dirtyPages } = statistics
    const numbers = { round, dirtyPages, lastDirtyPages: lastPagesOf(statistics) }
    const why = `rounds do not get there: ${left}`
    if (canPostCopy) return this.#end({ rule: 'stall', numbers }, why)
    if (canThrottle && this.#limits < limitsMax) {
      this.#limit = (this.#limit ?? rate) * limitShare
      this.#limits++
      this.#stalls = 0
      const text = `dirty-limit ${formatRate(this.#limit)}: ${why}`
      return { texts: [text, ...this.#peek(statistics)] }
    }
    const isSmallest = dirtyPages <= smallestSlack * this.#smallestPages
    if (isSmallest || round - this.#smallestRound >= patienceRounds) {
      return this.#end({ rule: 'wws', numbers }, `${why}, and it will hardly be less`)
    }
    if (this.#stalls > stallsMin) return { texts: this.#peek(statistics) }
    const text = `waits for what was less after round ${this.#smallestRound}: ${left}`
    return { texts: [text, ...this.#peek(statistics)] }
  }

  #end(decision: StopDecision, why: string): AutoDecision {
    const next = this.#terms.canPostCopy ? 'post-copy' : 'switch-over'
    return { texts: [`${next}: ${why}`], end: { ...decision, next } }
  }
}

/** What of that the pause gets, at its cap. */
function pauseRateOf(rate: number, { bandwidth, pauseBandwidth }: RoundStatistics): number {
  return bandwidth > 0 ? rate * (pauseBandwidth / bandwidth) : rate
}

/** What a round left, of what it began with. */
function shrinkOf(statistics: RoundStatistics): number {
  const { dirtyPages } = statistics
  return dirtyPages === 0 ? 0 : dirtyPages / lastPagesOf(statistics)
}

/** Before round 1 all pages were lacking. */
function lastPagesOf({ round, dirtyPages, lastDirtyPages, ...rest }: RoundStatistics): number {
  return round === 1 ? (rest.memoryBytes * dirtyPages) / rest.dirtyBytes : lastDirtyPages
}

/** Round 1 left as good as all of memory: another one has nothing to tell. */
function isRewritten({ round, dirtyBytes, memoryBytes }: RoundStatistics): boolean {
  return round === 1 && dirtyBytes > stallShare * memoryBytes
}
