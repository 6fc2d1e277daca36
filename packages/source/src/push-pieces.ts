/**
 * The pages that one lane takes of a post-copy round: chunk by chunk, where the fetch order says,
 * each page from whoever gets it first.
 *
 * @module
 */
import type { Clock } from '@godwit/core'
import { PageBitmap } from '@godwit/core'
import type { RegionRound, SentPages } from '@godwit/codec'
import { FetchOrder, PushWindow } from '@godwit/policy'
import type { RoundPieces } from './lane-pieces.ts'
import type { PushWork, RoundWork } from './round-work.ts'

/** Others may have taken all that is left: so often a lane that waits looks. */
const lookMs = 20

/** Where one lane is in a post-copy round. */
export class PushPieces implements RoundPieces {
  region: RegionRound | undefined
  regionIndex = 0
  page = 0
  endPage = 0
  readonly leftPages = 0
  readonly lookMs = 0
  readonly window: PushWindow = new PushWindow()
  /** Per region: everything that this lane has taken. */
  readonly taken: readonly PageBitmap[]
  readonly #work: RoundWork
  readonly #push: PushWork
  readonly #sent: readonly SentPages[]
  readonly #clock: Clock
  readonly #pageBytes: number
  readonly #order: FetchOrder
  /** Per region: the pages of the chunk. */
  readonly #chunk: readonly PageBitmap[]
  #firstPage = 0
  #faults = 0
  #faultMs: number

  constructor(
    work: RoundWork,
    push: PushWork,
    sent: readonly SentPages[],
    clock: Clock,
    pageBytes: number,
  ) {
    this.#work = work
    this.#push = push
    this.#sent = sent
    this.#clock = clock
    this.#pageBytes = pageBytes
    this.#order = new FetchOrder(push.fetch)
    this.#faultMs = clock.nowMs()
    this.taken = push.left.map(({ pageCount }) => new PageBitmap(pageCount))
    this.#chunk = push.left.map(({ pageCount }) => new PageBitmap(pageCount))
  }

  get windowBytes(): number {
    return this.window.bytes
  }

  /** Looks at the faults, and at what was installed. */
  update(installedBytes: number): void {
    const { count } = this.#push.board
    if (count !== this.#faults) this.#faultMs = this.#clock.nowMs()
    this.#faults = count
    this.window.update(count, installedBytes)
  }

  /** How long the next chunk is to be left to those who ask for its pages, before another look. */
  get waitMs(): number {
    const waitMs = this.#order.waitMs(this.#clock.nowMs() - this.#faultMs)
    if (waitMs === 0 || this.page < this.endPage) return 0
    return this.#push.left.some((bitmap) => bitmap.nextSet(0) < bitmap.pageCount)
      ? Math.min(waitMs, lookMs)
      : 0
  }

  awaitsMore(): boolean {
    return false
  }

  lookAhead(): boolean {
    return false
  }

  take(): boolean {
    if (this.page < this.endPage) return true
    this.#clearChunk()
    const { left, board } = this.#push
    const pages = Math.max(1, Math.floor(this.window.chunkBytes / this.#pageBytes))
    for (;;) {
      const chunk = this.#order.next(left, board.pivots, pages)
      if (chunk === undefined) {
        this.region = undefined
        return false
      }
      const { region, firstPage, endPage } = chunk
      if (!this.#claim(region, firstPage, endPage)) continue
      this.#begin(region, firstPage, endPage)
      return true
    }
  }

  /** @returns whether any page of the chunk is this lane's now */
  #claim(region: number, firstPage: number, endPage: number): boolean {
    const left = this.#push.left[region]!
    let isAny = false
    for (let page = left.nextSet(firstPage, endPage); page < endPage; ) {
      if (left.claim(page)) {
        this.#chunk[region]!.add(page)
        this.taken[region]!.add(page)
        isAny = true
      }
      page = left.nextSet(page + 1, endPage)
    }
    return isAny
  }

  #begin(region: number, firstPage: number, endPage: number): void {
    const { round, known, mayLack } = this.#work
    this.region = {
      round,
      sent: this.#sent[region]!,
      dirty: this.#chunk[region]!,
      untouched: undefined,
      again: undefined,
      leavesAgain: false,
      known,
      postCopy: true,
      mayLack,
    }
    this.regionIndex = region
    this.#firstPage = firstPage
    this.page = firstPage
    this.endPage = endPage
  }

  /** All of it is encoded. */
  #clearChunk(): void {
    const chunk = this.#chunk[this.regionIndex]!
    for (let page = this.#firstPage; page < this.endPage; page++) chunk.delete(page)
  }
}
