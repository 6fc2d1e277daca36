/**
 * Looking through all of memory for pages that are not what was sent: several threads share the
 * work of one pass, in chunks. What that takes is part of the pause.
 *
 * @module
 */
import type { Clock, PageHasher, Region } from '@godwit/core'
import { PageBitmap, allocateShared, yieldTo } from '@godwit/core'
import type { SentPages } from '@godwit/codec'
import { ScanTracker } from '@godwit/memory'

/** One pass. All memory in it is shared where the guest's is. */
export interface ScanJob {
  /** Per region: pages that hold zero bytes, as is known without a look at them. */
  readonly zeros: readonly PageBitmap[]
  /** Per region: gets the dirty pages. Threads store to words of their own. */
  readonly into: readonly PageBitmap[]
  /** One word: the first chunk, over all regions, that nobody has taken. */
  readonly next: Int32Array
}

/** Who looks, on one thread. */
export class MemoryScan {
  /** One per region. */
  readonly trackers: readonly ScanTracker[]
  readonly #pageCounts: readonly number[]
  readonly #zeros: readonly PageBitmap[]

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
    this.#pageCounts = sent.map(({ fingerprints }) => fingerprints.entryCount)
    this.#zeros = this.#pageCounts.map((pageCount) => PageBitmap.shared(pageCount))
    this.trackers = sent.map(({ region, fingerprints }, index) => {
      const options = { region, pageBytes, hasher: hasherOf(region), sent: fingerprints }
      const add = addZeros && ((into: PageBitmap): void => addZeros(index, into))
      return new ScanTracker({ ...options, addZeros: add })
    })
  }

  /** A pass that begins now. */
  begin(into: readonly PageBitmap[]): ScanJob {
    for (const [region, zeros] of this.#zeros.entries()) {
      zeros.clear()
      this.trackers[region]!.addUntouched?.(zeros)
    }
    return { zeros: this.#zeros, into, next: new Int32Array(allocateShared(4).buffer) }
  }

  /** Takes one chunk after the other, until none is left. */
  async run({ zeros, into, next }: ScanJob, clock: Clock): Promise<void> {
    let mine = Atomics.add(next, 0, 1)
    let first = 0
    for (const [region, tracker] of this.trackers.entries()) {
      const { collectPagesMax } = tracker
      tracker.zeros = zeros[region]!
      const end = first + Math.ceil(this.#pageCounts[region]! / collectPagesMax)
      for (; mine < end; mine = Atomics.add(next, 0, 1)) {
        tracker.collect((mine - first) * collectPagesMax, collectPagesMax, into[region]!)
        await yieldTo(clock)
      }
      first = end
    }
  }
}
