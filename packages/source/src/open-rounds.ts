/**
 * Rounds as they are cut for the guest's memory: of what is dirty when they begin, of what a look
 * at memory finds while they go on, or of what comes meanwhile by itself.
 *
 * @module
 */
import type { DirtyTracker } from '@godwit/core'
import type { RoundKind } from '@godwit/session'
import { ARRIVING_OWNED_PAGES, Arrivals } from './arrivals.ts'
import type { MemoryScan } from './memory-scan.ts'
import { memoryBytesOf, type SourceOptions } from './options.ts'
import type { RoundSet } from './round-pages.ts'
import type { LaneRound, OwnWork, RoundWork } from './round-work.ts'
import { OWNED_PAGES, cutPieces } from './round-work.ts'
import { EXACT_BYTES_MAX, Sweeps } from './sweeps.ts'

/** Of one migration. */
export class OpenRounds {
  /** Where nobody reports stores, and memory is large. */
  readonly sweeps: Sweeps | undefined
  /** Where pages come by themselves. */
  readonly #arrivals: Arrivals | undefined
  readonly #ownedPages: number
  /** Where stores are marked. */
  readonly #scan: MemoryScan | undefined
  readonly #marks: SourceOptions['marks']

  /**
   * @param areAllDirty - rounds have everything that is dirty: others know their sets beforehand
   * @param scan - where nobody reports stores
   */
  constructor(
    options: SourceOptions,
    areAllDirty: boolean,
    trackers: readonly DirtyTracker[],
    scan: MemoryScan | undefined,
  ) {
    const { guest, clock, marks } = options
    if (areAllDirty) [this.#scan, this.#marks] = [scan, marks]
    const isLarge = memoryBytesOf(options) > EXACT_BYTES_MAX
    if (scan && isLarge && areAllDirty) this.sweeps = new Sweeps(scan, clock)
    const nextPages = areAllDirty ? guest.nextPages?.bind(guest) : undefined
    if (nextPages) this.#arrivals = new Arrivals(nextPages, trackers, options)
    this.#ownedPages = nextPages ? ARRIVING_OWNED_PAGES : OWNED_PAGES
  }

  /** Before anything of the guest's memory is looked at; once or more. */
  prepare(): void {
    if (this.#marks) this.#scan?.mark(this.#marks)
    this.sweeps?.prepare()
  }

  /** Whose marks of stores were of use, as long as they are. */
  get marksName(): string | undefined {
    return this.#scan?.isMarked === true ? this.#marks?.name : undefined
  }

  /** Whether the set of a round is not known when it begins. */
  isOpen(round: number, kind: RoundKind): boolean {
    return round > 1 && (this.sweeps !== undefined || this.#mayGrow(round, kind))
  }

  /**
   * A round begins.
   *
   * @param set - shared: what is known of it, and gets the rest
   * @param looks - pages are looked at one by one: they come back to the lane that has sent them
   */
  begin(round: number, kind: RoundKind, set: RoundSet, lanes: number, looks: boolean): OwnWork {
    if (this.sweeps) return this.sweeps.begin(round, kind, set, lanes, looks)
    const { dirty } = set
    const ownedPages = looks && round > 1 ? this.#ownedPages : 0
    if (this.#mayGrow(round, kind)) return this.#arrivals!.begin(dirty, lanes, ownedPages)
    return cutPieces(dirty, lanes, { ownedPages, isMixed: looks && round === 1 })
  }

  /**
   * Resolves when the round was sent, with all that belongs to it.
   *
   * @param sending - the lanes' part
   * @param goOn - has lanes go on that wait for more
   */
  run(work: RoundWork, sending: Promise<LaneRound>, goOn: () => void): Promise<LaneRound> {
    return (this.sweeps ?? this.#arrivals)?.run(work, sending, goOn) ?? sending
  }

  /**
   * Pages of the round, about.
   *
   * @param knownPages - when it began
   * @param donePages - so far
   */
  totalPages(knownPages: number, donePages: number): number {
    const share = this.#arrivals?.passedShare ?? 1
    return Math.max(knownPages, Math.round(donePages / share))
  }

  /** Lanes have little left to do. */
  hungry(): void {
    this.#arrivals?.hungry()
  }

  /** The round was cut short. */
  endNow(): void {
    this.#arrivals?.endNow()
  }

  /** The guest stands in the last round, and nothing more comes. */
  #mayGrow(round: number, kind: RoundKind): boolean {
    return this.#arrivals !== undefined && round > 1 && kind !== 'final'
  }
}
