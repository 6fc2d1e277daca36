/**
 * Pieces of a round that are made while it goes on: whoever fills memory from elsewhere makes them,
 * and lanes take them as they come.
 *
 * @module
 */
import type { RegionRound, SentPages } from '@godwit/codec'
import { allocateShared } from '@godwit/core'
import { type RoundPieces, leavePages, regionRoundOf } from './lane-pieces.ts'
import type { RoundWork } from './round-work.ts'
import { PIECE_WORDS, Taken, isCutShort, ownerOf } from './round-work.ts'

/** Words of `RoundWork.arriving`. */
const Word = {
  /** Pieces that are there. */
  Known: 0,
  /** Not 0 when there will be no more. */
  Over: 1,
  /** Not 0 when a lane waits to be told that there are more. */
  Parked: 2,
  /** Lanes say when so many pieces are taken, once. */
  HungryAt: 3,
  /** Most bytes that each lane may have on their way. */
  WindowBytes: 4,
} as const

/** They have said so. */
const never = 2 ** 31 - 1

/** The words, and pieces that are there already. */
export function arrivingWords(pieces: number): Int32Array {
  const words = new Int32Array(allocateShared(5 * 4).buffer)
  words[Word.Known] = pieces
  words[Word.HungryAt] = never
  words[Word.WindowBytes] = never
  return words
}

/** What is of its own in such a round. */
type ArrivingWork = Pick<RoundWork, 'pieces' | 'taken'> & { readonly arriving: Int32Array }

/** Has lanes say when so many pieces are taken. @returns false where they are already */
export function sayHungryAt(
  { taken, arriving }: Omit<ArrivingWork, 'pieces'>,
  pieces: number,
): boolean {
  Atomics.store(arriving, Word.HungryAt, pieces)
  return Atomics.load(taken, Taken.Pieces) < pieces
}

/** Whether a piece can be added. */
export function hasRoom({ pieces, arriving }: Omit<ArrivingWork, 'taken'>): boolean {
  return Atomics.load(arriving, Word.Known) * PIECE_WORDS < pieces.length
}

/** Adds a piece behind the last. */
export function addPiece(
  { pieces, arriving }: Omit<ArrivingWork, 'taken'>,
  region: number,
  firstPage: number,
  endPage: number,
): void {
  const known = Atomics.load(arriving, Word.Known)
  const at = known * PIECE_WORDS
  pieces[at] = region
  pieces[at + 1] = firstPage
  pieces[at + 2] = endPage
  Atomics.store(arriving, Word.Known, known + 1)
}

/** No lane has more bytes on their way from here on. */
export function limitWindow(arriving: Int32Array, bytes: number): void {
  Atomics.store(arriving, Word.WindowBytes, Math.min(bytes, never))
}

/** There are no more. */
export function endPieces(arriving: Int32Array): void {
  Atomics.store(arriving, Word.Over, 1)
}

/** Whether a lane waits to be told: from now on it does not. */
export function takeParked(arriving: Int32Array): boolean {
  return Atomics.exchange(arriving, Word.Parked, 0) !== 0
}

/** Where one lane is in such a round. */
export class ArrivingPieces implements RoundPieces {
  region: RegionRound | undefined
  regionIndex = 0
  page = 0
  endPage = 0
  leftPages = 0
  readonly lookMs = 0
  readonly #work: RoundWork
  readonly #arriving: Int32Array
  readonly #sent: readonly SentPages[]
  readonly #lane: { readonly index: number; readonly lanes: number }
  readonly #onHungry: () => void
  /** Pieces before it are none of this lane's any more. */
  #next = 0

  /** @param onHungry - it is time for more pieces; once for each {@link sayHungryAt} */
  constructor(
    work: RoundWork,
    arriving: Int32Array,
    sent: readonly SentPages[],
    lane: { readonly index: number; readonly lanes: number },
    onHungry: () => void,
  ) {
    this.#work = work
    this.#arriving = arriving
    this.#sent = sent
    this.#lane = lane
    this.#onHungry = onHungry
  }

  take(): boolean {
    const isCut = isCutShort(this.#work)
    if (this.page < this.endPage && !isCut) return true
    if (isCut) this.#leaveRest()
    if (isCut || !this.#goOn()) {
      this.region = undefined
      return false
    }
    return true
  }

  awaitsMore(): boolean {
    const mayGoOn = (): boolean => this.page < this.endPage || isCutShort(this.#work)
    if (mayGoOn() || this.#goOn()) return false
    Atomics.store(this.#arriving, Word.Parked, 1)
    this.#sayHungry()
    const isOver = Atomics.load(this.#arriving, Word.Over) !== 0
    // Whoever adds one looks afterwards whether somebody waits.
    return !this.#goOn() && !isOver && !mayGoOn()
  }

  get windowBytes(): number {
    return Atomics.load(this.#arriving, Word.WindowBytes)
  }

  lookAhead(): boolean {
    return false
  }

  #goOn(): boolean {
    const { pieces } = this.#work
    const piece = this.#takePiece()
    if (piece < 0) return false
    const takenPieces = Atomics.load(this.#work.taken, Taken.Pieces)
    if (takenPieces >= Atomics.load(this.#arriving, Word.HungryAt)) this.#sayHungry()
    const at = piece * PIECE_WORDS
    this.regionIndex = pieces[at]!
    this.region = regionRoundOf(this.#work, this.#sent, this.regionIndex)
    this.page = pieces[at + 1]!
    this.endPage = pieces[at + 2]!
    return true
  }

  #sayHungry(): void {
    if (Atomics.exchange(this.#arriving, Word.HungryAt, never) !== never) this.#onHungry()
  }

  /** @returns its number; -1 where there is none yet */
  #takePiece(): number {
    const { pieces, taken, ownedPages } = this.#work
    const known = Atomics.load(this.#arriving, Word.Known)
    if (ownedPages === 0) {
      let piece = Atomics.load(taken, Taken.Pieces)
      while (piece < known) {
        const before = Atomics.compareExchange(taken, Taken.Pieces, piece, piece + 1)
        if (before === piece) return piece
        piece = before
      }
      return -1
    }
    const { index, lanes } = this.#lane
    while (this.#next < known) {
      const piece = this.#next++
      if (ownerOf(pieces[piece * PIECE_WORDS + 1]!, lanes, ownedPages) !== index) continue
      Atomics.add(taken, Taken.Pieces, 1)
      return piece
    }
    return -1
  }

  #leaveRest(): void {
    do {
      this.leftPages += leavePages(this.#work, this)
      this.page = this.endPage
    } while (this.#goOn())
  }
}
