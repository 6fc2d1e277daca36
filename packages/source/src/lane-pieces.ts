/**
 * The pieces of a round that one lane takes, one after the other.
 *
 * @module
 */
import type { RegionRound, SentPages } from '@godwit/codec'
import type { RoundWork } from './round-work.ts'
import { PIECE_WORDS, isCutShort, ownerOf, takePiece } from './round-work.ts'

/** What a lane sends of a round, piece by piece. */
export interface RoundPieces {
  /** Of the piece that is being sent; undefined before the first and after the last. */
  readonly region: RegionRound | undefined
  readonly regionIndex: number
  page: number
  readonly endPage: number
  /** Pages that were left because the round was cut short. */
  readonly leftPages: number
  /** Goes on to another piece where one is done. @returns false when none is left */
  take(): boolean
  /** Whether there is none now, and may be later: whoever makes it has the lane go on. */
  awaitsMore(): boolean
  /** Most bytes that may be on their way. */
  readonly windowBytes: number
  /** Looks for pages while there is no way to send any. @returns whether there may be more */
  lookAhead(): boolean
  /** Milliseconds of looks. */
  readonly lookMs: number
}

/** What is to be known of a region's pages, where `index` is that of the region. */
export function regionRoundOf(
  work: RoundWork,
  sent: readonly SentPages[],
  index: number,
): RegionRound {
  const { round, known, mayLack, dirty, untouched, again, leavesAgain } = work
  return {
    round,
    sent: sent[index]!,
    dirty: dirty[index]!,
    untouched: untouched?.[index],
    again: again?.[index],
    leavesAgain,
    known,
    postCopy: false,
    mayLack,
  }
}

/** Leaves what is not sent of a piece to a later round. @returns how many pages that is */
export function leavePages(
  { dirty, left }: Pick<RoundWork, 'dirty' | 'left'>,
  { regionIndex, page, endPage }: Pick<RoundPieces, 'regionIndex' | 'page' | 'endPage'>,
): number {
  const from = dirty[regionIndex]!
  let count = 0
  for (let next = from.nextSet(page, endPage); next < endPage; count++) {
    // Another lane may have pages of the same word.
    if (left) Atomics.or(left[regionIndex]!.words, next >>> 5, 1 << (next & 31))
    next = from.nextSet(next + 1, endPage)
  }
  return count
}

/** Where one lane is in one round. */
export class LanePieces implements RoundPieces {
  readonly #work: RoundWork
  readonly #sent: readonly SentPages[]
  readonly #index: number
  readonly #lanes: number
  /** Where to look on for pieces of this lane's own. */
  #nextOwned = 0
  region: RegionRound | undefined
  regionIndex = 0
  page = 0
  endPage = 0
  leftPages = 0
  readonly lookMs = 0
  readonly windowBytes: number = Infinity

  /** @param index - number of the lane, of so many `lanes` */
  constructor(work: RoundWork, sent: readonly SentPages[], index: number, lanes: number) {
    this.#work = work
    this.#sent = sent
    this.#index = index
    this.#lanes = lanes
  }

  take(): boolean {
    const isCut = this.#work.left !== undefined && isCutShort(this.#work)
    if (this.page < this.endPage && !isCut) return true
    if (isCut) this.#leaveRest()
    if (isCut || !this.#goOn()) {
      this.region = undefined
      return false
    }
    return true
  }

  awaitsMore(): boolean {
    return false
  }

  lookAhead(): boolean {
    return false
  }

  #goOn(): boolean {
    const { pieces } = this.#work
    const piece = this.#next()
    if (piece >= pieces.length) return false
    const index = pieces[piece]!
    this.region = regionRoundOf(this.#work, this.#sent, index)
    this.regionIndex = index
    this.page = pieces[piece + 1]!
    this.endPage = pieces[piece + 2]!
    return true
  }

  #leaveRest(): void {
    do {
      this.leftPages += leavePages(this.#work, this)
      this.page = this.endPage
    } while (this.#goOn())
  }

  /** Where the next piece of this lane is in the list. */
  #next(): number {
    const { pieces, ownedPages } = this.#work
    if (ownedPages === 0) return takePiece(this.#work)
    let piece = this.#nextOwned
    const isOthers = (page: number): boolean =>
      ownerOf(page, this.#lanes, ownedPages) !== this.#index
    while (piece < pieces.length && isOthers(pieces[piece + 1]!)) piece += PIECE_WORDS
    this.#nextOwned = piece + PIECE_WORDS
    return piece
  }
}
