/**
 * Rounds of a guest whose pages come by themselves, seen from the control plane: pages that come
 * while a round goes on are sent in it, as long as they lie behind those that it has. So the link
 * has work from one look of the guest at its own log of stores to the next.
 *
 * @module
 */
import type { Clock, DirtyTracker, PageBitmap } from '@godwit/core'
import { KIB, allocateShared, yieldTo } from '@godwit/core'
import {
  addPiece,
  arrivingWords,
  endPieces,
  hasRoom,
  limitWindow,
  sayHungryAt,
  takeParked,
} from './arriving-pieces.ts'
import type { LaneRound, OwnWork, RoundWork } from './round-work.ts'
import { PIECE_WORDS, Taken, cutPieces, isCutShort } from './round-work.ts'

/** Pages in a row that are one lane's own: few, so that each has some of what waits. */
export const ARRIVING_OWNED_PAGES = 64
/** Pages of one piece at most. */
const piecePages: number = ARRIVING_OWNED_PAGES
/** Once a look has found something, so many pages without any end it. */
const emptyPagesMost = 4096
/** As long as none has, others have their turn after so many. */
const emptyPagesAtOnce = 1 << 18
/** A lane has so much on its way at most, or more. */
const windowBytesMin: number = 512 * KIB
/** Room for pieces that came in parts, beside one for each of that length. */
const partsMost = 4096

type ArrivingWork = RoundWork & { readonly arriving: Int32Array }

/** See `Guest.nextPages`. */
export type NextPages = () => Promise<number>

/** Of one migration. */
export class Arrivals {
  readonly #nextPages: NextPages
  readonly #trackers: readonly DirtyTracker[]
  readonly #pageBytes: number
  readonly #clock: Clock
  #lanes = 1
  #pageCounts: readonly number[] = []
  #isAdding = false
  /** The round has no pages from here on, in the order of regions and pages. */
  #region = 0
  #page = 0
  /** For each piece of the round: how many pages there are up to its end, at most. */
  #pagesUpTo: number[] = []
  /** What is waited for: that lanes have little left to do, or that pages come. */
  #isHungry: (() => void) | undefined
  #giveUp: (() => void) | undefined

  /** @param trackers - one per region, which see stores to memory and none of its content */
  constructor(
    nextPages: NextPages,
    trackers: readonly DirtyTracker[],
    { pageBytes, clock }: { readonly pageBytes: number; readonly clock: Clock },
  ) {
    this.#nextPages = nextPages
    this.#trackers = trackers
    this.#pageBytes = pageBytes
    this.#clock = clock
  }

  /** How far through memory the round in progress is, above 0; 1 where there is none. */
  get passedShare(): number {
    if (!this.#isAdding) return 1
    const before = this.#pageCounts.slice(0, this.#region).reduce((sum, pages) => sum + pages, 0)
    const all = this.#pageCounts.reduce((sum, pages) => sum + pages, 0)
    return Math.max(1, before + this.#page) / all
  }

  /** Lanes have little left to do. */
  hungry(): void {
    this.#isHungry?.()
  }

  /** Nothing is waited for any more: the round was cut short, or is over. */
  endNow(): void {
    this.#giveUp?.()
    this.#isHungry?.()
  }

  /**
   * A round begins.
   *
   * @param dirty - of the round, shared: gets the pages that come
   * @param ownedPages - in a row that are one lane's own; 0: none are
   */
  begin(dirty: readonly PageBitmap[], lanes: number, ownedPages: number): OwnWork {
    this.#lanes = lanes
    this.#pageCounts = dirty.map(({ pageCount }) => pageCount)
    const work = cutPieces(dirty, lanes, { ownedPages })
    const most = dirty.reduce((sum, { pageCount }) => sum + Math.ceil(pageCount / piecePages), 0)
    const words = work.pieces.length + (most + partsMost) * PIECE_WORDS
    const pieces = new Uint32Array(allocateShared(words * 4).buffer)
    pieces.set(work.pieces)
    this.#region = dirty.findLastIndex((bitmap) => bitmap.lastSet(bitmap.pageCount) >= 0)
    if (this.#region < 0) this.#region = 0
    const last = dirty[this.#region]!
    this.#page = last.lastSet(last.pageCount) + 1
    this.#pagesUpTo = []
    for (let at = 0; at < work.pieces.length; at += PIECE_WORDS) {
      // A piece ends with a word of the set, where there may be room for what is to come.
      if (pieces[at] === this.#region) pieces[at + 2] = Math.min(pieces[at + 2]!, this.#page)
      this.#note(pieces[at + 2]! - pieces[at + 1]!)
    }
    return { ...work, pieces, arriving: arrivingWords(work.pieces.length / PIECE_WORDS) }
  }

  /**
   * Adds what comes to the round, until something comes that belongs to the next one.
   *
   * @param sending - the lanes' part
   * @param goOn - has them go on
   */
  async run(work: RoundWork, sending: Promise<LaneRound>, goOn: () => void): Promise<LaneRound> {
    const { arriving } = work
    if (arriving === undefined) return sending
    this.#isAdding = true
    const end = (): void => {
      this.#isAdding = false
      endPieces(arriving)
      if (takeParked(arriving)) goOn()
    }
    let isOver = false
    const stop = (): void => {
      isOver = true
      this.endNow()
    }
    sending.then(stop, stop)
    const mayAdd = (): boolean => !isOver && !isCutShort(work)
    const adding = this.#add({ ...work, arriving }, mayAdd, goOn).finally(end)
    const [sent] = await Promise.all([sending, adding])
    return sent
  }

  async #add(work: ArrivingWork, mayAdd: () => boolean, goOn: () => void): Promise<void> {
    while (mayAdd()) {
      const mostPages = await this.#pagesThatMayWait()
      if (mostPages === 0) return
      const windowBytes = (mostPages * this.#pageBytes) / this.#lanes
      limitWindow(work.arriving, Math.max(windowBytesMin, windowBytes))
      if ((await this.#takeSome(work, mostPages, mayAdd)) === 0) return
      if (takeParked(work.arriving)) goOn()
      if (this.#queuedPages(work) <= mostPages / 2) continue
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#isHungry = resolve
      if (mayAdd() && sayHungryAt(work, this.#hungryAt(work, mostPages / 2))) await promise
    }
  }

  /** One promise for each wait: what is raced with something that lasts is kept as long as that. */
  #pagesThatMayWait(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#giveUp = () => resolve(0)
      this.#nextPages().then(resolve, reject)
    })
  }

  async #takeSome(work: ArrivingWork, mostPages: number, mayAdd: () => boolean): Promise<number> {
    const from = { region: this.#region, page: this.#page }
    // What is added to a round that was cut short meanwhile, nobody would send.
    while (mayAdd()) {
      const found = this.#take(work, mostPages, from)
      if (found >= 0) return found
      await yieldTo(this.#clock)
    }
    return 0
  }

  /**
   * @param mostPages - that may wait for a lane
   * @param from - where to look on
   * @returns how many pages of those that came are the round's now; -1 when there is more to look
   *   through, and others are to have their turn
   */
  #take(work: ArrivingWork, mostPages: number, from: { region: number; page: number }): number {
    const { dirty } = work
    let found = 0
    let emptyPages = 0
    for (; from.region < dirty.length; from.region++, from.page = 0) {
      const bitmap = dirty[from.region]!
      const { pageCount } = bitmap
      while (from.page < pageCount && hasRoom(work)) {
        const { region, page } = from
        const end = Math.min(pageCount, page - (page % piecePages) + piecePages)
        const count = this.#trackers[region]!.collect(page, end - page, bitmap)
        emptyPages = count > 0 ? 0 : emptyPages + (end - page)
        from.page = end
        if (count > 0) {
          this.#region = region
          this.#page = bitmap.lastSet(end) + 1
          from.page = this.#page
          addPiece(work, region, page, this.#page)
          this.#note(count)
          found += count
        }
        const isFull = this.#queuedPages(work) >= mostPages
        if (found > 0 && (isFull || emptyPages > emptyPagesMost)) return found
        if (emptyPages > emptyPagesAtOnce) return -1
      }
    }
    return found
  }

  #note(pages: number): void {
    this.#pagesUpTo.push((this.#pagesUpTo.at(-1) ?? 0) + pages)
  }

  /** Pages of pieces that no lane has taken, about: lanes take their own, and not in order. */
  #queuedPages({ taken }: RoundWork): number {
    const takenPieces = Atomics.load(taken, Taken.Pieces)
    return (this.#pagesUpTo.at(-1) ?? 0) - (this.#pagesUpTo[takenPieces - 1] ?? 0)
  }

  /** How many pieces are taken when so few pages wait. */
  #hungryAt({ taken }: RoundWork, leftPages: number): number {
    const upTo = (this.#pagesUpTo.at(-1) ?? 0) - leftPages
    // A round may have millions: what is taken is behind.
    let piece = Atomics.load(taken, Taken.Pieces)
    while (this.#pagesUpTo[piece]! < upTo) piece++
    return piece + 1
  }
}
