/**
 * What is made of a round that was sent: its place in the log, and whether another one follows.
 *
 * @module
 */
import type { DecisionLog } from './decision-log.ts'
import type { EarlyEnd } from './early-end.ts'
import type { SourceOptions } from './options.ts'
import type { RoundLog } from './round-log.ts'
import type { RoundPages } from './round-pages.ts'
import type { LaneRound } from './round-work.ts'
import type { RoundsEndDecision } from './rounds-end.ts'
import { RoundsEnd } from './rounds-end.ts'
import type { StopDecision } from '@godwit/policy'
import type { Steering } from './steering.ts'
import type { Sweeps } from './sweeps.ts'
import type { Watch } from './watch.ts'

/** A round of no pages is a look at the guest's stores: as long as the last one, within bounds. */
const emptyRoundMs = { least: 10, most: 1000 } as const
/** Of a shorter round, or with more of it on its way, it cannot be told how fast the link is. */
const foreseenMsMin = 500
const onTheWayShareMax = 1 / 4

/** A round that was handed to the sockets. */
export interface SentRound {
  readonly round: number
  readonly pages: number
  /** Pages that the destination lacks when it has ended, but for those dirtied since. */
  readonly heldPages: number
  readonly startMs: number
  readonly sent: LaneRound
}

/** What it goes by. */
export interface ReviewParts {
  readonly log: RoundLog
  readonly pages: RoundPages
  readonly steering: Steering
  readonly decisions: DecisionLog
  readonly earlyEnd: EarlyEnd
  readonly sweeps: Sweeps | undefined
  readonly watch: Watch
}

/** Of one migration. */
export class Review {
  readonly #options: SourceOptions
  readonly #parts: ReviewParts
  readonly #end: RoundsEnd
  #last: SentRound | undefined
  #isLogged = false
  /** Asked before the round was acknowledged. */
  #foreseen: Promise<RoundsEndDecision | undefined> | undefined
  /** That cannot be changed any more: the guest is being stopped. */
  #isSettled = false
  #emptyRoundMs: number = emptyRoundMs.least
  #firstMs = 0
  /** Since when stores count for the next collect. */
  #collectedAtMs = 0

  constructor(options: SourceOptions, parts: ReviewParts) {
    this.#options = options
    this.#parts = parts
    this.#end = new RoundsEnd(options, parts.decisions)
  }

  /** Round 1 begins. */
  begin(): void {
    this.#firstMs = this.#options.clock.nowMs()
    this.#collectedAtMs = this.#firstMs
  }

  /** A round was handed to the sockets. */
  sent(round: SentRound): void {
    this.#last = round
    this.#isLogged = false
    this.#foreseen = undefined
  }

  /** Of the round that was sent last, by its lanes: what they held back is none of others. */
  get last(): LaneRound {
    return this.#last!.sent
  }

  /** How long a round of no pages lasts. */
  get emptyRoundMs(): number {
    return this.#emptyRoundMs
  }

  /** Post-copy is wanted as soon as the round has ended. */
  askForPostCopy(by?: StopDecision): void {
    this.#end.askForPostCopy(by)
    if (!this.#isSettled) this.#foreseen = undefined
  }

  /** The round was acknowledged or, in the pause, handed over. */
  ended(isPaused: boolean): void {
    const { log } = this.#parts
    if (this.#isLogged) log.lasted(this.#options.clock.nowMs() - this.#last!.startMs)
    else this.#addToLog(isPaused)
  }

  /**
   * Asks the stop rules before the round was acknowledged, where a look at all of memory is what
   * the pause begins with: that may go on while the last pages arrive.
   *
   * @param threads - that look, beside this one
   * @returns after how long the guest is to be stopped, so that both end at about the same time,
   *   milliseconds; undefined: there is another round, or that cannot be said yet
   */
  async foresee(roundTripMs: number, threads: number): Promise<number | undefined> {
    const { sweeps, earlyEnd, log } = this.#parts
    const { guest, clock } = this.#options
    const { startMs, sent } = this.#last!
    const sentMs = clock.nowMs()
    const { onTheWayBytes, frameBytes } = sent
    const isKnown = onTheWayBytes <= frameBytes * onTheWayShareMax
    const isLong = sentMs - startMs >= foreseenMsMin
    if (!sweeps || !isLong || !isKnown || guest.nextRound || earlyEnd.decision) return undefined
    this.#addToLog(false, onTheWayBytes)
    const foreseen = this.#decide(roundTripMs, threads)
    this.#foreseen = foreseen
    const decided = await foreseen
    if (decided?.next !== 'switch-over' || this.#foreseen !== foreseen) return undefined
    const arrivingMs = (onTheWayBytes / log.bandwidth) * 1e3
    const lookMs = sweeps.passMs(threads)
    return Math.max(0, arrivingMs - (clock.nowMs() - sentMs) - lookMs)
  }

  /** The guest is about to be stopped. @returns whether what was foreseen still holds; it will */
  settle(): boolean {
    this.#isSettled = this.#foreseen !== undefined && this.#parts.earlyEnd.decision === undefined
    return this.#isSettled
  }

  /**
   * Counts what became dirty and asks the stop rules, once for each round.
   *
   * @param threads - that look, beside this one
   * @returns the rule that fired and what is next; undefined to go on with another round
   */
  decide(roundTripMs: number, threads: number): Promise<RoundsEndDecision | undefined> {
    const isOverruled = !this.#isSettled && this.#parts.earlyEnd.decision !== undefined
    const foreseen = isOverruled ? undefined : this.#foreseen
    return foreseen ?? this.#decide(roundTripMs, threads)
  }

  async #decide(roundTripMs: number, threads: number): Promise<RoundsEndDecision | undefined> {
    const { log, pages, steering, earlyEnd, sweeps, watch } = this.#parts
    const { guest, clock } = this.#options
    const next = guest.nextRound && (() => guest.nextRound!())
    const stop = next && (await watch.until(next))
    const fresh = await (sweeps?.estimated() ?? pages.collect())
    const nowMs = clock.nowMs()
    log.addDirty(fresh, nowMs - this.#collectedAtMs)
    this.#collectedAtMs = nowMs
    const early = earlyEnd.decision
    if (early !== undefined) {
      pages.addAside()
      return { decision: early, next: 'switch-over' }
    }
    const lookMs = sweeps?.extraMs(threads, log) ?? pages.collectMs
    const overheadMs = lookMs + 2 * roundTripMs
    pages.select()
    const lacking = sweeps ? fresh : pages.size + pages.heldPages
    const statistics = log.statistics(lacking, overheadMs, steering.pauseCap)
    return this.#end.decide(statistics, pages, nowMs - this.#firstMs, stop)
  }

  #addToLog(isPaused: boolean, onTheWayBytes = 0): void {
    const { log, steering } = this.#parts
    const { round, pages, heldPages, startMs, sent } = this.#last!
    const ms = this.#options.clock.nowMs() - startMs
    if (pages > 0) this.#emptyRoundMs = clamp(ms, emptyRoundMs.least, emptyRoundMs.most)
    const held = heldPages === 0 ? {} : { heldPages }
    const facts = { ms, paused: isPaused, ...held, ...steering.facts }
    log.add(round, pages, sent, facts, onTheWayBytes)
    this.#isLogged = true
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value))
}
