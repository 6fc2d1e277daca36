/**
 * What lanes share of one round: the pages to send, cut into pieces that each lane takes as it goes
 * along, and what came of it.
 *
 * @module
 */
import type { PageBitmap } from '@godwit/core'
import { allocateShared } from '@godwit/core'
import type { EncodedBatch, PageTally } from '@godwit/codec'
import { emptyTally } from '@godwit/codec'
import type { FetchName } from '@godwit/policy'
import type { FaultBoard } from './fault-board.ts'
import type { Sweep } from './sweep.ts'

/** Region index, first page, end page. */
export const PIECE_WORDS = 3

/** Pieces per lane: so many that all lanes end at about the same time. */
const piecesPerLane = 16
/** Dirty pages that are worth a piece of their own: a few batches. */
const piecePagesMin = 1024

/** Words of `RoundWork.taken`. */
export const Taken = {
  /** How many pieces were taken, where they are nobody's own. */
  Pieces: 0,
  /** Not 0 as soon as the round is to be cut short, see {@link cutShort}. */
  Cut: 1,
  /** The first piece of what goes last; the number of pieces where nothing does. */
  Tail: 2,
  /** Which piece of those is to be the first, and which one is; -1 before that one is taken. */
  Turn: 3,
  FirstTurn: 4,
} as const

/** A round whose pages follow a guest that runs at the destination already. */
export interface PushWork {
  /** Per region: what nobody has taken yet; pages are taken with `claim`. */
  readonly left: readonly PageBitmap[]
  readonly board: FaultBoard
  readonly fetch: FetchName
}

/** One round, for lanes on any thread: all memory in it is shared. */
export interface RoundWork {
  readonly round: number
  /** Whether the destination holds some content of every page already. */
  readonly known: boolean
  /**
   * Whether pages may be sent that the destination may lack, and ask for once more: not while
   * somebody waits for them.
   */
  readonly mayLack: boolean
  /** Per region. */
  readonly dirty: readonly PageBitmap[]
  /** Per region, in round 1: pages known to be zero without a look at them. */
  readonly untouched: readonly PageBitmap[] | undefined
  /** Per region: pages that are dirty again, as it becomes known while the round goes on. */
  readonly again: readonly PageBitmap[] | undefined
  /** Whether those are left to a later round. */
  readonly leavesAgain: boolean
  /** {@link PIECE_WORDS} each; every dirty page is in one. */
  readonly pieces: Uint32Array
  /** See {@link Taken}: what changes while lanes take pieces. */
  readonly taken: Int32Array
  /** Per region, empty: gets the pages that are left when the round is cut short. */
  readonly left: readonly PageBitmap[] | undefined
  /**
   * Pages in a row that are one lane's own, which has sent them before: a piece has pages of one
   * lane only. 0 where pieces are nobody's own.
   */
  readonly ownedPages: number
  /** Where the set is not known yet: `pieces` are its chunks then. */
  readonly sweep: Sweep | undefined
  /**
   * Where pieces are made while the round goes on: see `arriving-pieces.ts`. Any page may still
   * come, so that none can be named by another.
   */
  readonly arriving: Int32Array | undefined
  /** In post-copy; then there are no pieces. */
  readonly push: PushWork | undefined
}

/** One order of properties for all: code that was optimised in the warm-up is not for others. */
export function sameShape(work: RoundWork): RoundWork {
  const { round, known, mayLack, dirty, untouched, again, leavesAgain } = work
  const { pieces, taken, left, ownedPages, sweep, arriving, push } = work
  const marks = { untouched, again, leavesAgain }
  const from = { pieces, taken, left, ownedPages, sweep, arriving, push }
  return { round, known, mayLack, dirty, ...marks, ...from }
}

/** Lanes leave what they have not taken yet. */
export function cutShort({ taken }: Pick<RoundWork, 'taken'>): void {
  Atomics.store(taken, Taken.Cut, 1)
}

export function isCutShort({ taken }: Pick<RoundWork, 'taken'>): boolean {
  return Atomics.load(taken, Taken.Cut) !== 0
}

/** @param tail - the first piece of what goes last */
export function takenWords(tail: number): Int32Array {
  const taken = new Int32Array(allocateShared(5 * 4).buffer)
  taken[Taken.Tail] = tail
  taken[Taken.FirstTurn] = -1
  return taken
}

/** Takes the next piece, of those that are nobody's own. @returns where it is in the list */
export function takePiece({ pieces, taken }: Pick<RoundWork, 'pieces' | 'taken'>): number {
  const piece = Atomics.add(taken, Taken.Pieces, 1)
  const tail = taken[Taken.Tail]!
  const left = pieces.length / PIECE_WORDS - tail
  if (piece < tail || piece >= tail + left) return piece * PIECE_WORDS
  const turn = Atomics.load(taken, Taken.Turn)
  const first = Atomics.compareExchange(taken, Taken.FirstTurn, -1, turn)
  return (tail + ((piece - tail + (first < 0 ? turn : first)) % left)) * PIECE_WORDS
}

/** Pages in a row that are one lane's own, where pages are there when a round begins. */
export const OWNED_PAGES = 512

/** The lane that sends a page in every round but the first. */
export function ownerOf(page: number, lanes: number, ownedPages: number): number {
  return Math.floor(page / ownedPages) % lanes
}

/** What rounds of a kind have of their own. */
export type OwnWork = Pick<RoundWork, 'pieces' | 'taken' | 'ownedPages' | 'sweep' | 'arriving'>

/** How pieces are cut. */
export interface PieceOptions {
  /** Pages in a row that are one lane's own; 0, the default: none are. */
  readonly ownedPages?: number
  /** Per region: hits in each {@link OWNED_PAGES} pages; where there are any goes last. */
  readonly hot?: readonly Uint16Array[] | undefined
  /**
   * Whether neighbours come far from each other: memory of one kind lies together, and what is hard
   * to compress would be waited for at one time, the link at another.
   */
  readonly isMixed?: boolean
}

/** Cuts the dirty pages of all regions into pieces for `lanes` lanes. */
export function cutPieces(
  dirty: readonly PageBitmap[],
  lanes: number,
  { ownedPages = 0, hot, isMixed = false }: PieceOptions = {},
): OwnWork {
  const owned = lanes > 1 ? ownedPages : 0
  const most = piecePagesMost(dirty, lanes, isMixed)
  const pieces: number[] = []
  const last: number[] = []
  for (const [region, bitmap] of dirty.entries()) {
    const cold: number[] = []
    let first = 0
    let inPiece = 0
    for (let word = 0; word < bitmap.words.length; word++) {
      inPiece += bitmap.sizeOfWord(word)
      const end = Math.min((word + 1) * 32, bitmap.pageCount)
      const isHot = isHotAt(hot, region, end - 1)
      const isHotBorder = end % OWNED_PAGES === 0 && (isHot || isHotAt(hot, region, end))
      const isBorder = isHotBorder || (owned > 0 && end % owned === 0)
      if (!isBorder && inPiece < most && end < bitmap.pageCount) continue
      if (inPiece > 0) (isHot ? last : cold).push(region, first, end)
      first = end
      inPiece = 0
    }
    // Region by region: batches are of one.
    for (const word of isMixed ? mixed(cold) : cold) pieces.push(word)
  }
  const words = new Uint32Array(allocateShared((pieces.length + last.length) * 4).buffer)
  words.set(pieces)
  words.set(last, pieces.length)
  const taken = takenWords(pieces.length / PIECE_WORDS)
  return { pieces: words, taken, ownedPages: owned, sweep: undefined, arriving: undefined }
}

/** Dirty pages of a piece, at most, but for those of its last word. */
function piecePagesMost(dirty: readonly PageBitmap[], lanes: number, isMixed: boolean): number {
  if (isMixed) return piecePagesMin
  if (lanes === 1) return Infinity
  const pages = dirty.reduce((sum, bitmap) => sum + bitmap.size, 0)
  return Math.max(piecePagesMin, pages / (lanes * piecesPerLane))
}

/** The golden ratio: a few of its multiples in a row lie evenly in the unit interval, modulo 1. */
const golden = (Math.sqrt(5) - 1) / 2

/** @returns pieces in an order in which any few in a row are from all over the region */
function mixed(pieces: readonly number[]): readonly number[] {
  return Array.from({ length: pieces.length / PIECE_WORDS }, (_, piece) => piece)
    .sort((a, b) => ((a * golden) % 1) - ((b * golden) % 1))
    .flatMap((piece) => pieces.slice(piece * PIECE_WORDS, (piece + 1) * PIECE_WORDS))
}

function isHotAt(hot: readonly Uint16Array[] | undefined, region: number, page: number): boolean {
  return (hot?.[region]![Math.floor(page / OWNED_PAGES)] ?? 0) > 0
}

/** What one lane did in one round, or all of them together. */
export interface LaneRound extends PageTally {
  batches: number
  /** Of them: filled without a look at each page. */
  plainBatches: number
  /** Whole page frames, headers included. */
  frameBytes: number
  /** Milliseconds that looks for dirty pages took, of all threads together. */
  lookMs: number
  /** Page frames that the destination had not installed when all was handed over, as was known. */
  onTheWayBytes: number
  /** Sum of the batches' digests, modulo 2^64. */
  digest: bigint
}

export function emptyRound(): LaneRound {
  const counts = { batches: 0, plainBatches: 0, frameBytes: 0, lookMs: 0, onTheWayBytes: 0 }
  return { ...emptyTally(), ...counts, digest: 0n }
}

/** Adds a batch that was filled without a look at each page. */
export function addPlainBatch(done: LaneRound, batch: EncodedBatch): void {
  done.rawPages += batch.rawPages
  done.zeroPages += batch.zeroPages
  done.pages += batch.rawPages + batch.zeroPages
  done.unchangedPages += batch.unchangedPages
  done.heldPages += batch.heldPages
  done.zeroBytes += batch.zeroBytes
  done.unchangedBytes += batch.unchangedBytes
  done.payloadBytes += batch.payloadBytes
}

/** Pages of the round's set that are done with. */
export function handledPages(done: Readonly<LaneRound>): number {
  return done.pages + done.unchangedPages + done.heldPages
}

/** What all lanes did. */
export function sumOf(rounds: readonly LaneRound[]): LaneRound {
  const sum = emptyRound()
  for (const { digest, ...counts } of rounds) {
    sum.digest = BigInt.asUintN(64, sum.digest + digest)
    for (const [name, count] of Object.entries(counts)) {
      sum[name as keyof typeof counts] += count
    }
  }
  return sum
}
