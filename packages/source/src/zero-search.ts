/**
 * Finds out which pages are zero while the destination makes room, so that round 1 need not look at
 * them: of a machine that has just begun that is most of memory.
 *
 * The guest runs on, so a page may be another by the time that round 1 sends it as zero. That is
 * a store like any other: a later look at memory finds that the page is not what was sent. So this
 * is for rounds that are followed by such a look.
 *
 * @module
 */
import type { Clock } from '@godwit/core'
import { PageBitmap, yieldTo } from '@godwit/core'
import type { MemoryScan } from './memory-scan.ts'

/** Pages that are looked at before others have their turn: less than a millisecond. */
const pagesPerTurn = 1024

/** Of one migration. */
export class ZeroSearch {
  readonly #scan: MemoryScan
  readonly #clock: Clock
  #found: readonly PageBitmap[] = []
  #isOver = false

  constructor(scan: MemoryScan, clock: Clock) {
    this.#scan = scan
    this.#clock = clock
  }

  /** Looks at all pages once, in order, until {@link end}. */
  begin(): void {
    this.#found = this.#scan.pageCounts.map((pageCount) => new PageBitmap(pageCount))
    // What it did not find is looked at when it is sent.
    this.#run().catch(() => {})
  }

  /** @returns per region: what was found so far */
  end(): readonly PageBitmap[] {
    this.#isOver = true
    return this.#found
  }

  async #run(): Promise<void> {
    const holes = this.#scan.findZeros()
    for (const [region, found] of this.#found.entries()) {
      // Where pages must be copied first, that is as well done in the round.
      if (this.#scan.zeroEnd(region, 0, 0) === undefined) continue
      for (let first = 0; first < found.pageCount; first += pagesPerTurn) {
        const end = Math.min(first + pagesPerTurn, found.pageCount)
        this.#look(region, first, end, holes[region]!, found)
        await yieldTo(this.#clock)
        if (this.#isOver) return
      }
    }
  }

  #look(region: number, first: number, last: number, holes: PageBitmap, found: PageBitmap): void {
    for (let page = holes.nextClear(first, last); page < last; ) {
      const end = holes.nextSet(page, last)
      const zeroEnd = this.#scan.zeroEnd(region, page, end)!
      for (let zero = page; zero < zeroEnd; zero++) found.add(zero)
      // The page there is none of them.
      page = holes.nextClear(zeroEnd < end ? zeroEnd + 1 : end, last)
    }
  }
}
