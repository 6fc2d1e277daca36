/**
 * Rounds whose sets are found while they go on, seen from the control plane: a sample of memory
 * says how much there may be, and the threads of the lanes and this one look for it.
 *
 * @module
 */
import type { Clock, PageBitmap } from '@godwit/core'
import { MIB, yieldTo } from '@godwit/core'
import type { MemorySample } from './memory-sample.ts'
import { sampleMemory, timePass } from './memory-sample.ts'
import type { LookWork, MemoryScan } from './memory-scan.ts'
import { MemoryWatch } from './memory-watch.ts'
import type { RoundKind } from '@godwit/session'
import type { RoundLog } from './round-log.ts'
import type { RoundSet } from './round-pages.ts'
import type { LaneRound, OwnWork, RoundWork } from './round-work.ts'
import { cutPieces } from './round-work.ts'
import type { Sweep, SweepWork } from './sweep.ts'
import { createSweep, endSweep } from './sweep.ts'
import { ZeroSearch } from './zero-search.ts'

/** A look at all of less memory takes next to nothing, and says exactly what is dirty. */
export const EXACT_BYTES_MAX: number = 64 * MIB

/** Of one migration. */
export class Sweeps {
  readonly #scan: MemoryScan
  readonly #clock: Clock
  readonly #watch: MemoryWatch
  readonly #zeros: ZeroSearch
  #sample: MemorySample | undefined
  /** Where the guest stored to while it was prepared: elsewhere it may be quiet. */
  #watched: readonly Uint16Array[] | undefined
  #samples = 0
  #isOver = false
  #sampling: Promise<MemorySample> | undefined
  /** Of this thread, in the round, and before it. */
  #lookMs = 0
  #looking: Promise<void> | undefined
  /** What a look at all of memory takes all threads together; 0 as long as there was none. */
  #passMs = 0
  /** What it takes to find out which pages need no look, this thread. */
  #keptMs = 0
  /** The last round, where somebody looks before it begins. */
  #early: (SweepWork & LookWork) | undefined

  constructor(scan: MemoryScan, clock: Clock) {
    this.#scan = scan
    this.#clock = clock
    this.#watch = new MemoryWatch(scan, clock)
    this.#zeros = new ZeroSearch(scan, clock)
  }

  /** Finds out where the guest stores to, and what is zero, until round 1 begins. */
  prepare(): void {
    this.#zeros.begin()
    this.#watch.begin()
  }

  /** There are no more rounds: whoever looks ends with its turn. */
  end(): void {
    this.#isOver = true
    this.#watch.end()
    this.#zeros.end()
    if (this.#early) endSweep(this.#early.sweep)
  }

  /**
   * What a look at all of memory takes, milliseconds.
   *
   * @param threads - that look, beside this one
   */
  passMs(threads: number): number {
    return this.#keptMs + this.#passMs / (threads + 1)
  }

  /** By the last sample. */
  get dirtyPages(): number {
    return this.#sample?.dirtyPages ?? 0
  }

  /**
   * Finds out how many pages are dirty, about, while others wait for something else.
   *
   * @param lacking - per region: pages that the destination lacks whatever they hold
   */
  estimate(lacking: readonly PageBitmap[]): void {
    const kept = this.#findKept(lacking)
    // What is known of the last pass is of what was marked then.
    if (kept || this.#passMs === 0) this.#passMs = timePass(this.#scan, this.#clock, kept)
    const last = this.#sample?.hot ?? this.#watched
    const isOver = (): boolean => this.#isOver
    this.#sampling = sampleMemory(this.#scan, this.#samples++, this.#clock, kept, last, isOver)
    // Told to whoever asks for it.
    this.#sampling.catch(() => {})
  }

  /** @returns what {@link estimate} has found */
  async estimated(): Promise<number> {
    this.#sample = await this.#sampling!
    return this.#sample.dirtyPages
  }

  /**
   * What a look at all of memory will take longer than to send what is dirty, milliseconds: both
   * go on at the same time.
   *
   * @param threads - that look, beside this one
   */
  extraMs(
    threads: number,
    { bandwidth, pageBytes }: Pick<RoundLog, 'bandwidth' | 'pageBytes'>,
  ): number {
    const sendMs = bandwidth > 0 ? ((this.dirtyPages * pageBytes) / bandwidth) * 1e3 : 0
    return Math.max(0, this.passMs(threads) - sendMs)
  }

  /**
   * A round begins.
   *
   * @param set - shared: in round 1 what it has, where `untouched` gets what was found to be zero;
   *   later see {@link createSweep} for what is dirty
   * @param looks - pages are looked at one by one, and a lane's own from round 2 on
   */
  begin(round: number, kind: RoundKind, set: RoundSet, lanes: number, looks: boolean): OwnWork {
    const { dirty, untouched } = set
    if (round === 1) {
      const zeros = this.#zeros.end()
      // Nobody looks at memory again after the last round.
      if (kind !== 'final') zeros.forEach((found, region) => untouched?.[region]!.addOthers(found))
      this.#watched = this.#watch.end()
      return cutPieces(dirty, lanes, { hot: this.#watched, isMixed: looks })
    }
    return { ...(this.#early ?? this.#create(dirty, lanes, looks)), arriving: undefined }
  }

  #create(dirty: RoundSet['dirty'], lanes: number, looks: boolean): SweepWork {
    const zeros = this.#scan.findZeros()
    const kept = this.#findKept(dirty)
    this.#lookMs += kept === undefined ? 0 : this.#keptMs
    return createSweep(dirty, { zeros, kept }, this.#sample?.hot, looks && lanes > 1)
  }

  #findKept(lacking: readonly PageBitmap[]): readonly PageBitmap[] | undefined {
    const startMs = this.#clock.nowMs()
    const kept = this.#scan.findKept(lacking)
    this.#keptMs = kept === undefined ? 0 : this.#clock.nowMs() - startMs
    return kept
  }

  /** The guest stands: this thread looks already, and others may. @param set - of the last round */
  lookEarly({ dirty }: RoundSet, lanes: number, looks: boolean): LookWork {
    const work = { ...this.#create(dirty, lanes, looks), dirty }
    this.#early = work
    this.#looking = this.#look(work, work.sweep)
    // Told to the round that goes on with it.
    this.#looking.catch(() => {})
    return work
  }

  /**
   * Looks at memory, with others, until the round is over; in round 1 at what goes last in it.
   *
   * @param sending - the lanes' part; where it fails, nobody looks any more
   */
  async run(work: RoundWork, sending: Promise<LaneRound>): Promise<LaneRound> {
    const { sweep } = work
    if (sweep === undefined) {
      this.#watch.follow(work)
      return sending.finally(() => this.#watch.end())
    }
    try {
      const [sent] = await Promise.all([sending, this.#look(work, sweep), this.#looking])
      const lookMs = sent.lookMs + this.#lookMs
      this.#lookMs = 0
      this.#passMs = lookMs
      return { ...sent, lookMs }
    } finally {
      endSweep(sweep)
    }
  }

  async #look(work: LookWork | RoundWork, sweep: Sweep): Promise<void> {
    const clock = this.#clock
    for (;;) {
      const startMs = clock.nowMs()
      if (!this.#scan.look(work, sweep)) return
      this.#lookMs += clock.nowMs() - startMs
      await yieldTo(clock)
    }
  }
}
