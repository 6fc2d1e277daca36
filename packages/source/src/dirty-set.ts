/**
 * The pages that the destination does not hold in their newest form.
 *
 * @module
 */
import type { Clock, DirtyTracker, Region } from '@godwit/core'
import { PageBitmap, pagesCovering, yieldTo } from '@godwit/core'

/** Looks through all of memory and adds what is dirty, per region. */
export type Scan = (into: readonly PageBitmap[]) => Promise<void>

/** Dirty pages of all regions; two bitmaps per region, swapped when a round takes its set. */
export class DirtySet {
  readonly #trackers: readonly DirtyTracker[]
  readonly #clock: Clock
  readonly #scan: Scan | undefined
  #pending: PageBitmap[]
  #taken: PageBitmap[]
  /** What {@link setAside} kept back and no round has sent. */
  #aside: readonly PageBitmap[] = []
  /** Per region, as of {@link addAll}: pages known to be zero without a look at them. */
  readonly untouched: readonly PageBitmap[]

  /**
   * @param trackers - one per region, in the same order
   * @param scan - asked instead of them, where they would look through all of memory
   */
  constructor(
    regions: readonly Region[],
    trackers: readonly DirtyTracker[],
    pageBytes: number,
    clock: Clock,
    scan?: Scan,
  ) {
    const bitmaps = (): PageBitmap[] =>
      regions.map((region) => PageBitmap.shared(pagesCovering(region.bytes.length, pageBytes)))
    this.#trackers = trackers
    this.#clock = clock
    this.#scan = scan
    this.#pending = bitmaps()
    this.#taken = bitmaps()
    this.untouched = bitmaps()
  }

  /** Pages that nobody has touched up to now, as far as is known, per region. */
  findUntouched(): readonly PageBitmap[] {
    return this.#trackers.map((tracker, index) => {
      const bitmap = PageBitmap.shared(this.untouched[index]!.pageCount)
      tracker.addUntouched?.(bitmap)
      return bitmap
    })
  }

  /** Everything is to be sent; stores before this call are forgotten, later ones are not. */
  addAll(): void {
    for (const [index, tracker] of this.#trackers.entries()) {
      tracker.reset()
      tracker.addUntouched?.(this.untouched[index]!)
    }
    for (const bitmap of this.#pending) bitmap.addAll()
  }

  /**
   * Everything is to be sent but what nobody has touched, which is zero there, too; what is touched
   * from now on is collected.
   */
  addTouched(): void {
    this.addAll()
    for (const [index, bitmap] of this.#pending.entries()) bitmap.removeAll(this.untouched[index]!)
  }

  /**
   * Keeps everything that is pending back from the rounds, but for what is collected from now on;
   * trackers must see stores.
   */
  setAside(): void {
    this.#aside = this.#pending.map(({ pageCount, words }) => {
      return new PageBitmap(pageCount, words.slice())
    })
    for (const bitmap of this.#pending) bitmap.clear()
  }

  /** Whether something is kept back. */
  get hasAside(): boolean {
    return this.#aside.some(({ size }) => size > 0)
  }

  /** What was kept back is pending now. */
  addAside(): void {
    this.add(this.#aside)
    this.#aside = []
  }

  /** Pages that are to be sent, too. @param bitmaps - one per region, or none at all */
  add(bitmaps: readonly PageBitmap[]): void {
    for (const [index, bitmap] of bitmaps.entries()) this.#pending[index]!.addOthers(bitmap)
  }

  /**
   * Moves the trackers' marks into the pending set, in pieces that let control traffic through.
   *
   * @returns pages pending
   */
  async collect(): Promise<number> {
    if (this.#scan !== undefined) {
      await this.#scan(this.#pending)
      return this.pages
    }
    for (const [index, tracker] of this.#trackers.entries()) {
      const bitmap = this.#pending[index]!
      const step = tracker.collectPagesMax
      for (let page = 0; page < bitmap.pageCount; page += step) {
        tracker.collect(page, Math.min(step, bitmap.pageCount - page), bitmap)
        if (page + step < bitmap.pageCount) await yieldTo(this.#clock)
      }
    }
    return this.pages
  }

  /** Collects now and then from here on. @returns what ends it, and rejects where one has failed */
  collectEvery(ms: number): () => Promise<void> {
    let isOver = false
    let collecting: Promise<unknown> = Promise.resolve()
    let cancel = (): void => {}
    const later = (): void => {
      if (!isOver) cancel = this.#clock.after(ms, collect)
    }
    const collect = (): void => {
      collecting = this.collect().then(later)
      // Told when it is ended: until then nobody waits for it.
      collecting.catch(() => {})
    }
    later()
    return async () => {
      isOver = true
      cancel()
      await collecting
    }
  }

  /** Whether stores can be collected while a round goes on, for pages that it has not sent yet. */
  get canCollectMeanwhile(): boolean {
    return this.#trackers.every(({ comparesContent }) => comparesContent !== true)
  }

  /** Per region: what is pending. The same bitmaps until {@link take} is called. */
  get pending(): readonly PageBitmap[] {
    return this.#pending
  }

  get pages(): number {
    return this.#pending.reduce((sum, bitmap) => sum + bitmap.size, 0)
  }

  /** The pending set, for one round; valid until the next call. Pending starts empty again. */
  take(): readonly PageBitmap[] {
    const work = this.#pending
    this.#pending = this.#taken
    this.#taken = work
    for (const bitmap of this.#pending) bitmap.clear()
    for (const [index, bitmap] of this.#aside.entries()) bitmap.removeAll(work[index]!)
    return work
  }
}
