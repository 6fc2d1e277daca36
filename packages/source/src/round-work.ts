/**
 * What lanes share of one round: the pages to send, cut into pieces that each lane takes as it goes
 * along, and what came of it.
 *
 * @module
 */
import type { PageBitmap } from '@godwit/core'
import { allocateShared } from '@godwit/core'

/** Region index, first page, end page. */
export const PIECE_WORDS = 3

/** Pieces per lane: so many that all lanes end at about the same time. */
const piecesPerLane = 16
/** Dirty pages that are worth a piece of their own: a few batches. */
const piecePagesMin = 1024

/** One round, for lanes on any thread: all memory in it is shared. */
export interface RoundWork {
  readonly round: number
  /** Whether the destination holds some content of every page already. */
  readonly known: boolean
  /** Per region. */
  readonly dirty: readonly PageBitmap[]
  /** Per region, in round 1: pages known to be zero without a look at them. */
  readonly untouched: readonly PageBitmap[] | undefined
  /** {@link PIECE_WORDS} each; every dirty page is in one. */
  readonly pieces: Uint32Array
  /** One word: how many pieces were taken. A page is on one lane, since its piece is. */
  readonly taken: Int32Array
}

/** Cuts the dirty pages of all regions into pieces for `lanes` lanes. */
export function cutPieces(
  dirty: readonly PageBitmap[],
  lanes: number,
): Pick<RoundWork, 'pieces' | 'taken'> {
  const pages = dirty.reduce((sum, bitmap) => sum + bitmap.size, 0)
  const most = lanes === 1 ? Infinity : Math.max(piecePagesMin, pages / (lanes * piecesPerLane))
  const pieces: number[] = []
  for (const [region, bitmap] of dirty.entries()) {
    let first = 0
    let inPiece = 0
    for (let word = 0; word < bitmap.words.length; word++) {
      inPiece += bitmap.sizeOfWord(word)
      const end = Math.min((word + 1) * 32, bitmap.pageCount)
      if (inPiece < most && end < bitmap.pageCount) continue
      if (inPiece > 0) pieces.push(region, first, end)
      first = end
      inPiece = 0
    }
  }
  const words = new Uint32Array(allocateShared(pieces.length * 4).buffer)
  words.set(pieces)
  return { pieces: words, taken: new Int32Array(allocateShared(4).buffer) }
}

/** What one lane did in one round, or all of them together. */
export interface LaneRound {
  batches: number
  /** Pages with an entry in some batch: raw + zero. */
  pages: number
  rawPages: number
  zeroPages: number
  unchangedPages: number
  zeroBytes: number
  unchangedBytes: number
  payloadBytes: number
  /** Whole page frames, headers included. */
  frameBytes: number
  /** Sum of the batches' digests, modulo 2^64. */
  digest: bigint
}

export function emptyRound(): LaneRound {
  return {
    batches: 0,
    pages: 0,
    rawPages: 0,
    zeroPages: 0,
    unchangedPages: 0,
    zeroBytes: 0,
    unchangedBytes: 0,
    payloadBytes: 0,
    frameBytes: 0,
    digest: 0n,
  }
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
