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

/** Region index, first page, end page. */
export const PIECE_WORDS = 3

/** Pieces per lane: so many that all lanes end at about the same time. */
const piecesPerLane = 16
/** Dirty pages that are worth a piece of their own: a few batches. */
const piecePagesMin = 1024

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
  /**
   * Two words: how many pieces were taken, where they are nobody's own; and not 0 as soon as the
   * round is to be cut short, see {@link cutShort}.
   */
  readonly taken: Int32Array
  /** Per region, empty: gets the pages that are left when the round is cut short. */
  readonly left: readonly PageBitmap[] | undefined
  /** Whether every lane has pieces of its own: those of pages it has sent before. */
  readonly owned: boolean
  /** In post-copy; then there are no pieces. */
  readonly push: PushWork | undefined
}

/** One order of properties for all: code that was optimised in the warm-up is not for others. */
export function sameShape(work: RoundWork): RoundWork {
  const { round, known, mayLack, dirty, untouched, again, leavesAgain } = work
  const { pieces, taken, left, owned, push } = work
  const marks = { untouched, again, leavesAgain }
  return { round, known, mayLack, dirty, ...marks, pieces, taken, left, owned, push }
}

/** Lanes leave what they have not taken yet. */
export function cutShort({ taken }: Pick<RoundWork, 'taken'>): void {
  Atomics.store(taken, 1, 1)
}

export function isCutShort({ taken }: Pick<RoundWork, 'taken'>): boolean {
  return Atomics.load(taken, 1) !== 0
}

/** Pages in a row that are one lane's own. */
const ownedPages = 512

/** The lane that sends a page in every round but the first. */
export function ownerOf(page: number, lanes: number): number {
  return Math.floor(page / ownedPages) % lanes
}

/**
 * Cuts the dirty pages of all regions into pieces for `lanes` lanes.
 *
 * @param owned - a piece has pages of one owner only
 */
export function cutPieces(
  dirty: readonly PageBitmap[],
  lanes: number,
  owned = false,
): Pick<RoundWork, 'pieces' | 'taken' | 'owned'> {
  const isOwned = owned && lanes > 1
  const pages = dirty.reduce((sum, bitmap) => sum + bitmap.size, 0)
  const most = lanes === 1 ? Infinity : Math.max(piecePagesMin, pages / (lanes * piecesPerLane))
  const pieces: number[] = []
  for (const [region, bitmap] of dirty.entries()) {
    let first = 0
    let inPiece = 0
    for (let word = 0; word < bitmap.words.length; word++) {
      inPiece += bitmap.sizeOfWord(word)
      const end = Math.min((word + 1) * 32, bitmap.pageCount)
      const isBorder = isOwned && end % ownedPages === 0
      if (!isBorder && inPiece < most && end < bitmap.pageCount) continue
      if (inPiece > 0) pieces.push(region, first, end)
      first = end
      inPiece = 0
    }
  }
  const words = new Uint32Array(allocateShared(pieces.length * 4).buffer)
  words.set(pieces)
  const taken = new Int32Array(allocateShared(8).buffer)
  return { pieces: words, taken, owned: isOwned }
}

/** What one lane did in one round, or all of them together. */
export interface LaneRound extends PageTally {
  batches: number
  /** Of them: filled without a look at each page. */
  plainBatches: number
  /** Whole page frames, headers included. */
  frameBytes: number
  /** Sum of the batches' digests, modulo 2^64. */
  digest: bigint
}

export function emptyRound(): LaneRound {
  return { ...emptyTally(), batches: 0, plainBatches: 0, frameBytes: 0, digest: 0n }
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
