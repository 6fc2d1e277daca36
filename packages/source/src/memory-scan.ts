/**
 * Looking through all of memory for pages that are not what was sent: several threads share the
 * work of one pass, in chunks. What that takes is part of the pause.
 *
 * @module
 */
import type { Clock, FingerprintTable, PageHasher, Region, StoreMarks } from '@godwit/core'
import { PageBitmap, allocateShared, yieldTo } from '@godwit/core'
import { type SentPages, zeroPagesEnd } from '@godwit/codec'
import { ScanTracker } from '@godwit/memory'
import type { RoundWork } from './round-work.ts'
import { PIECE_WORDS } from './round-work.ts'
import type { Sweep } from './sweep.ts'
import { lookedAt, takeChunk } from './sweep.ts'

/** One pass. All memory in it is shared where the guest's is. */
export interface ScanJob {
  /** Per region: pages that hold zero bytes, as is known without a look at them. */
  readonly zeros: readonly PageBitmap[]
  /** Per region: pages that hold what was sent, known without a look, too. */
  readonly kept: readonly PageBitmap[] | undefined
  /** Per region: gets the dirty pages. Threads store to words of their own. */
  readonly into: readonly PageBitmap[]
  /** One word: the first chunk, over all regions, that nobody has taken. */
  readonly next: Int32Array
}

/** A sweep, as whoever only looks is to know it. */
export interface LookWork extends Pick<RoundWork, 'dirty' | 'pieces'> {
  readonly sweep: Sweep
}

/** Who looks, on one thread. */
export class MemoryScan {
  /** One per region. */
  readonly trackers: readonly ScanTracker[]
  /** Per region. */
  readonly pageCounts: readonly number[]
  /** Of a fingerprint. */
  readonly entryBytes: FingerprintTable['entryBytes']
  readonly #pageBytes: number
  readonly #sent: readonly SentPages[]
  readonly #hashers: readonly PageHasher[]
  readonly #zeros: readonly PageBitmap[]
  #marks: StoreMarks | undefined
  /** Per region: what a look finds, before others see it. Empty between looks. */
  readonly #found: readonly PageBitmap[]

  /**
   * @param hasherOf - of this thread, and of what is written of the pages that are sent
   * @param addZeros - adds pages of a region that hold zero bytes now
   */
  constructor(
    sent: readonly SentPages[],
    pageBytes: number,
    hasherOf: (region: Region) => PageHasher,
    addZeros?: (region: number, into: PageBitmap) => void,
  ) {
    this.pageCounts = sent.map(({ fingerprints }) => fingerprints.entryCount)
    this.#zeros = this.pageCounts.map((pageCount) => PageBitmap.shared(pageCount))
    this.#found = this.pageCounts.map((pageCount) => new PageBitmap(pageCount))
    this.#pageBytes = pageBytes
    this.#sent = sent
    this.entryBytes = sent[0]!.fingerprints.entryBytes
    this.#hashers = sent.map(({ region }) => hasherOf(region))
    this.trackers = sent.map(({ region, fingerprints }, index) => {
      const options = { region, pageBytes, hasher: this.#hashers[index]!, sent: fingerprints }
      const add = addZeros && ((into: PageBitmap): void => addZeros(index, into))
      return new ScanTracker({ ...options, addZeros: add })
    })
  }

  /**
   * Where zero pages end that begin at `page`; `page` where that one is none. Undefined where pages
   * must be copied to be looked at.
   */
  zeroEnd(region: number, page: number, end: number): number | undefined {
    const { bytes } = this.#sent[region]!.region
    return zeroPagesEnd(this.#hashers[region]!, bytes, this.#pageBytes, page, end)
  }

  /**
   * Stores are marked from now on, once for all: nothing was looked at yet. Every page is to be
   * sent after this, or to be told to {@link findKept}.
   */
  mark(marks: StoreMarks): void {
    if (this.#marks !== undefined) return
    this.#marks = marks
    marks.begin()
  }

  /** Whether somebody marks stores, and the marks count. */
  get isMarked(): boolean {
    return this.#marks !== undefined && this.#marks.lost === undefined
  }

  /** A pass that begins now. @param into - what is lacking is in it already */
  begin(into: readonly PageBitmap[]): ScanJob {
    const next = new Int32Array(allocateShared(4).buffer)
    return { zeros: this.findZeros(), kept: this.findKept(into), into, next }
  }

  /**
   * Per region: pages that hold what was sent of them, by their marks; undefined where nobody
   * knows.
   *
   * @param lacking - per region: pages that the destination lacks whatever they hold
   */
  findKept(lacking: readonly PageBitmap[]): readonly PageBitmap[] | undefined {
    const kept = this.#marks?.findUnmarked(this.#pageBytes)
    kept?.forEach((unmarked, region) => unmarked.removeAll(lacking[region]!))
    return kept
  }

  /** Per region: pages that hold zero bytes now. The same bitmaps every time. */
  findZeros(): readonly PageBitmap[] {
    for (const [region, zeros] of this.#zeros.entries()) {
      zeros.clear()
      this.trackers[region]!.addUntouched?.(zeros)
    }
    return this.#zeros
  }

  /** @param into - its first entry gets the fingerprint of a page as it is now */
  hashPage(region: number, page: number, into: FingerprintTable): void {
    const { bytes } = this.#sent[region]!.region
    const start = page * this.#pageBytes
    const end = Math.min(start + this.#pageBytes, bytes.length)
    this.#hashers[region]!.hashPages(bytes, start, end, this.#pageBytes, into, 0)
  }

  /**
   * Looks at the next chunk of a sweep: its pages are dirty from here on, or not.
   *
   * @returns false where there is none left
   */
  look({ dirty, pieces }: Pick<RoundWork, 'dirty' | 'pieces'>, sweep: Sweep): boolean {
    const chunk = takeChunk(sweep)
    if (chunk < 0) return false
    const at = chunk * PIECE_WORDS
    const region = pieces[at]!
    const first = pieces[at + 1]!
    const end = pieces[at + 2]!
    const tracker = this.trackers[region]!
    const found = this.#found[region]!.words
    tracker.zeros = sweep.zeros[region]!
    tracker.kept = sweep.kept?.[region]
    tracker.collect(first, end - first, this.#found[region]!)
    const { words } = dirty[region]!
    let isDirty = 0
    // Word by word: others must not see a dirty page as a clean one in between.
    for (let word = first >>> 5; word < (end + 31) >>> 5; word++) {
      isDirty |= found[word]!
      words[word] = found[word]!
      found[word] = 0
    }
    lookedAt(sweep, chunk, isDirty !== 0)
    return true
  }

  /** Takes one chunk after the other, until none is left. */
  async run({ zeros, kept, into, next }: ScanJob, clock: Clock): Promise<void> {
    let mine = Atomics.add(next, 0, 1)
    let first = 0
    for (const [region, tracker] of this.trackers.entries()) {
      const { collectPagesMax } = tracker
      tracker.zeros = zeros[region]!
      tracker.kept = kept?.[region]
      const end = first + Math.ceil(this.pageCounts[region]! / collectPagesMax)
      for (; mine < end; mine = Atomics.add(next, 0, 1)) {
        tracker.collect((mine - first) * collectPagesMax, collectPagesMax, into[region]!)
        await yieldTo(clock)
      }
      first = end
    }
  }
}
