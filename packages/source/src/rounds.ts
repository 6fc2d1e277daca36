/**
 * The source's data plane seen from the control plane: sets of dirty pages, rounds of them, and
 * what the stop rules say. Page bytes pass through the lane only.
 *
 * @module
 */
import type { DirtyTracker, GodwitError, PageHasher } from '@godwit/core'
import { FingerprintTable, pagesCovering } from '@godwit/core'
import type { SentPages, Workspace } from '@godwit/codec'
import type { Link } from '@godwit/link'
import { ScanTracker } from '@godwit/memory'
import type { StopDecision } from '@godwit/policy'
import { TokenBucket, evaluateStop } from '@godwit/policy'
import type { RoundKind } from '@godwit/session'
import type { RoundBegin, RoundEnd } from '@godwit/wire'
import { u64ToBytes } from '@godwit/wire'
import { DirtySet } from './dirty-set.ts'
import type { LaneRound } from './lane.ts'
import { SourceLane } from './lane.ts'
import type { SourceOptions } from './options.ts'
import { RoundLog } from './round-log.ts'

/** All rounds of one migration. */
export class Rounds {
  readonly log: RoundLog
  readonly trackerName: string
  readonly #options: SourceOptions
  readonly #workspace: Workspace
  readonly #hasher: PageHasher
  readonly #sent: readonly SentPages[]
  readonly #dirty: DirtySet
  readonly #pacer: TokenBucket
  #lane: SourceLane | undefined
  /** The round in progress, or the last one. */
  #round = 0
  #pages = 0
  #startMs = 0
  #lastSent: LaneRound | undefined
  /** Since when stores count for the next collect. */
  #collectedAtMs = 0
  #collectMs = 0
  #maxBandwidth: number
  #isPaused = false

  constructor(options: SourceOptions, workspace: Workspace, hasher: PageHasher) {
    const { guest, pageBytes, clock } = options
    this.#options = options
    this.#workspace = workspace
    this.#hasher = hasher
    this.#sent = guest.regions.map((region) => {
      const pages = pagesCovering(region.bytes.length, pageBytes)
      return { region, fingerprints: new FingerprintTable(pages, hasher.entryBytes) }
    })
    const trackers = this.#chooseTrackers()
    this.trackerName = trackers[0]?.name ?? 'none'
    this.#dirty = new DirtySet(guest.regions, trackers, pageBytes, clock)
    this.log = new RoundLog(pageBytes)
    this.#maxBandwidth = options.maxBandwidth ?? Infinity
    this.#pacer = new TokenBucket(this.#maxBandwidth)
  }

  /** Takes over the data channel. */
  open(link: Link, onLost: (error: GodwitError | undefined) => void): SourceLane {
    const { clock, pageBytes, encode } = this.#options
    const raw = encode === 'raw'
    const [workspace, hasher] = [this.#workspace, this.#hasher]
    const options = { pageBytes, workspace, hasher, raw, pacer: this.#pacer }
    this.#lane = new SourceLane(link, clock, options, onLost)
    return this.#lane
  }

  /** Ends the lane after what was written. */
  close(): void {
    this.#lane?.close()
  }

  /** Drops the lane; a round in progress rejects. */
  destroy(): void {
    this.#lane?.destroy()
  }

  /** Changes the cap on bandwidth while the guest runs. */
  limitBandwidth(bytesPerSecond: number): void {
    this.#maxBandwidth = bytesPerSecond
    if (!this.#isPaused) this.#pace(bytesPerSecond)
  }

  get progress(): { round: number; pagesDone: number; pagesTotal: number } {
    const lane = this.#lane?.progress
    const pagesDone = lane === undefined ? this.#pages : lane.pages + lane.unchangedPages
    return { round: this.#round, pagesDone, pagesTotal: this.#pages }
  }

  /**
   * Sends one round; resolves when it was handed to the socket.
   *
   * @param announce - sends ROUND_BEGIN
   */
  async send(round: number, kind: RoundKind, announce: (body: RoundBegin) => void): Promise<void> {
    const { clock } = this.#options
    if (round === 1) {
      this.#dirty.addAll()
      this.#collectedAtMs = clock.nowMs()
    } else if (kind === 'final') {
      await this.#collect()
    }
    if (kind === 'final') this.#usePauseBandwidth()
    this.#round = round
    this.#pages = this.#dirty.pages
    this.#startMs = clock.nowMs()
    announce({ round, kind, pages: this.#pages })
    const untouched = round === 1 ? this.#dirty.untouched : undefined
    const regions = this.#dirty.take().map((dirty, index) => ({
      round,
      sent: this.#sent[index]!,
      dirty,
      untouched: untouched?.[index],
      known: round > 1,
    }))
    const sent = await this.#lane!.sendRound(round, regions)
    this.#lastSent = sent
    if (kind === 'final') this.#addToLog(sent, true)
  }

  /** What ROUND_END says of the round that was just sent. */
  get totals(): RoundEnd {
    const { batches, pages, digest } = this.#lastSent!
    return { round: this.#round, batches, pages, digest: u64ToBytes(digest) }
  }

  /** The destination acknowledged the round. */
  acknowledged(): void {
    this.#addToLog(this.#lastSent!, false)
  }

  /**
   * Counts what became dirty and asks the stop rules.
   *
   * @returns the rule that fired, or undefined to go on with another round
   */
  async decide(roundTripMs: number): Promise<StopDecision | undefined> {
    const pages = await this.#collect()
    const nowMs = this.#options.clock.nowMs()
    this.log.addDirty(pages, nowMs - this.#collectedAtMs)
    this.#collectedAtMs = nowMs
    const overheadMs = this.#collectMs + 2 * roundTripMs
    return evaluateStop(this.#options.stop, this.log.statistics(pages, overheadMs))
  }

  /** The pause may have a cap of its own; without one it has that of the rounds. */
  #usePauseBandwidth(): void {
    this.#isPaused = true
    this.#pace(this.#options.pauseBandwidth ?? this.#maxBandwidth)
  }

  #pace(bytesPerSecond: number): void {
    this.#pacer.change(bytesPerSecond, this.#options.clock.nowMs())
    this.#lane?.paceAgain()
  }

  async #collect(): Promise<number> {
    const { clock } = this.#options
    const startMs = clock.nowMs()
    const pages = await this.#dirty.collect()
    this.#collectMs = clock.nowMs() - startMs
    return pages
  }

  #addToLog(sent: LaneRound, paused: boolean): void {
    const ms = this.#options.clock.nowMs() - this.#startMs
    this.log.add(this.#round, this.#pages, sent, ms, paused)
  }

  #chooseTrackers(): readonly DirtyTracker[] {
    const { trackers, pageBytes } = this.#options
    if (trackers !== undefined) return trackers
    const hasher = this.#hasher
    return this.#sent.map(
      ({ region, fingerprints }) =>
        new ScanTracker({ region, pageBytes, hasher, sent: fingerprints }),
    )
  }
}
