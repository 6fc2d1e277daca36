/**
 * Statistics of rounds: what the stop rules and the report are made of.
 *
 * @module
 */
import type { PageCounts, RoundReport } from '@godwit/core'
import type { RoundStatistics } from '@godwit/policy'
import { expectedPauseBandwidth } from '@godwit/policy'
import type { LaneRound } from './round-work.ts'
import { emptyRound, sumOf } from './round-work.ts'

/** A round below this size says little about bandwidth: its time is mostly the round trip. */
const usefulRoundBytes = 1 << 20

/** What is known of a round beside what was sent. */
export type RoundFacts = Pick<
  RoundReport,
  'ms' | 'paused' | 'heldPages' | 'grantedBandwidth' | 'throttle'
>

/** Collects what happened, round by round. */
export class RoundLog {
  readonly rounds: RoundReport[] = []
  #tally: LaneRound = emptyRound()
  sentBytes = 0
  resentBytes = 0
  readonly pageBytes: number
  readonly #memoryBytes: number
  #lastDirtyPages = Infinity
  /** Bytes of page frames per second, from the last round of useful size. */
  #bandwidth = 0
  /** What that round was allowed. */
  #roundCap = Infinity
  #mostBandwidth = 0

  constructor(pageBytes: number, memoryBytes: number) {
    this.pageBytes = pageBytes
    this.#memoryBytes = memoryBytes
  }

  get pages(): PageCounts {
    const tally = this.#tally
    return {
      raw: tally.rawPages,
      zero: tally.zeroPages,
      unchanged: tally.unchangedPages,
      same: tally.samePages,
      reference: tally.referencePages,
      delta: tally.deltaPages,
      static: tally.staticPages,
      compressed: tally.compressedPages,
    }
  }

  get heldPages(): number {
    return this.#tally.heldPages
  }

  /** Sent as pages are, without a look at each. */
  get plainBatches(): number {
    return this.#tally.plainBatches
  }

  get similarPages(): number {
    return this.#tally.similarPages
  }

  get deltaOverflows(): number {
    return this.#tally.deltaOverflows
  }

  /** What each technique has saved, by name; nothing of those that had nothing to do. */
  savedBytes(compression: 'none' | 'zstd' | 'lz4'): Record<string, number> {
    const tally = this.#tally
    const { zeroBytes: zero, unchangedBytes: unchanged } = tally
    const { sameBytes: same, referenceBytes: reference, deltaBytes: delta } = tally
    const { staticBytes, compressedBytes } = tally
    const looked = Object.entries({
      same,
      reference,
      delta,
      static: staticBytes,
      [compression]: compressedBytes,
    }).filter(([, bytes]) => bytes > 0)
    return { zero, unchanged, ...Object.fromEntries(looked) }
  }

  get bandwidth(): number {
    return this.#bandwidth
  }

  /**
   * A round was acknowledged (or, for the last one, handed over) after `ms`.
   *
   * @param onTheWayBytes - of it, where it was not yet; {@link lasted} follows then
   */
  add(round: number, pages: number, sent: LaneRound, facts: RoundFacts, onTheWayBytes = 0): void {
    const { ms } = facts
    const { lookMs: scanMs } = sent
    const bandwidth = ms > 0 ? ((sent.frameBytes - onTheWayBytes) / ms) * 1e3 : 0
    // A round of looks rather than of pages says nothing of the link, but that it is no slower.
    const isLooks = scanMs > ms / 2 && bandwidth < this.#bandwidth
    const isUseful = sent.frameBytes >= usefulRoundBytes && !isLooks
    if (isUseful || this.#bandwidth === 0) {
      this.#bandwidth = bandwidth
      this.#roundCap = facts.grantedBandwidth ?? Infinity
      this.#mostBandwidth = Math.max(this.#mostBandwidth, bandwidth)
    }
    const looks = scanMs > 0 ? { scanMs } : {}
    this.rounds.push({ round, pages, bytes: sent.frameBytes, bandwidth, ...looks, ...facts })
    this.#tally = sumOf([this.#tally, sent])
    if (round === 1) this.sentBytes += sent.payloadBytes
    else this.resentBytes += sent.payloadBytes
  }

  /** The round that was added last is acknowledged only now, after `ms`. */
  lasted(ms: number): void {
    const last = this.rounds.at(-1)!
    last.ms = ms
    last.bandwidth = ms > 0 ? (last.bytes / ms) * 1e3 : 0
  }

  /** Pages found dirty after the last round, dirtied within `ms`. */
  addDirty(dirtyPages: number, ms: number): void {
    const last = this.rounds.at(-1)
    if (last === undefined) return
    last.dirtyPages = dirtyPages
    last.dirtyRate = ms > 0 ? ((dirtyPages * this.pageBytes) / ms) * 1e3 : 0
  }

  /**
   * What the stop rules look at, once after every round.
   *
   * @param dirtyPages - all that the destination lacks
   * @param pauseCap - bytes per second that the pause may use
   */
  statistics(dirtyPages: number, pauseOverheadMs: number, pauseCap: number): RoundStatistics {
    const lastDirtyPages = this.#lastDirtyPages
    this.#lastDirtyPages = dirtyPages
    const last = this.rounds.at(-1)
    const [firstRoundBytes = 0, ...later] = this.rounds.map(({ bytes }) => bytes)
    return {
      round: this.rounds.length,
      dirtyPages,
      lastDirtyPages,
      firstRoundBytes,
      laterRoundsBytes: later.reduce((sum, bytes) => sum + bytes, 0),
      memoryBytes: this.#memoryBytes,
      dirtyBytes: dirtyPages * this.pageBytes,
      bandwidth: this.#bandwidth,
      pauseBandwidth: expectedPauseBandwidth({
        measured: this.#bandwidth,
        roundCap: this.#roundCap,
        most: this.#mostBandwidth,
        pauseCap,
      }),
      pauseOverheadMs,
      sentPages: last?.pages ?? 0,
      roundMs: last?.ms ?? 0,
      freshPages: last?.dirtyPages ?? 0,
    }
  }
}
