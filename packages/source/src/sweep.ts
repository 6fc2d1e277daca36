/**
 * A round whose set is not known when it begins: lanes look through memory, chunk by chunk, and
 * send what they find, so that the link has work from the first chunk on. For memory whose stores
 * nobody reports, and so much of it that a look at all of it takes its time.
 *
 * @module
 */
import type { Clock, PageBitmap } from '@godwit/core'
import { allocateShared } from '@godwit/core'
import type { RegionRound, SentPages } from '@godwit/codec'
import { regionRoundOf, type RoundPieces } from './lane-pieces.ts'
import type { MemoryScan } from './memory-scan.ts'
import type { RoundWork } from './round-work.ts'
import { OWNED_PAGES, PIECE_WORDS, isCutShort, ownerOf, takenWords } from './round-work.ts'

/** Pages that are looked at in one go: those of one owner, half a millisecond. */
export const CHUNK_PAGES: number = OWNED_PAGES

/** Of a chunk: nobody is through with it; it has dirty pages that nobody has taken; neither. */
const ChunkState = { Open: 0, Found: 1, Done: 2 } as const

/** What lanes and lookers share of a sweep, beside the chunks, which are the round's pieces. */
export interface Sweep {
  /** A `ChunkState` for each chunk, and the first chunk that nobody looks at yet. */
  readonly states: Int32Array
  /** Per region: pages that hold zero bytes, as is known without a look at them. */
  readonly zeros: readonly PageBitmap[]
  /** Per region: pages that hold what was sent of them, as is known without a look, too. */
  readonly kept: readonly PageBitmap[] | undefined
}

/** What is of its own in a round with a sweep. */
export interface SweepWork extends Pick<RoundWork, 'pieces' | 'taken' | 'ownedPages'> {
  readonly sweep: Sweep
}

/**
 * All chunks of all regions.
 *
 * @param dirty - of the round: full from here on, and less with every look
 * @param hot - per region: for each chunk, how many dirty pages a sample found; such chunks come
 *   first, so that the rest is looked at while those travel
 * @param owned - a chunk's pages are one lane's own
 */
export function createSweep(
  dirty: readonly PageBitmap[],
  { zeros, kept }: Pick<Sweep, 'zeros' | 'kept'>,
  hot: readonly Uint16Array[] | undefined,
  owned: boolean,
): SweepWork {
  const chunksOf = (isHot: boolean): number[] =>
    dirty.flatMap(({ pageCount }, region) =>
      Array.from({ length: chunkCountOf(pageCount) }, (_, chunk) => chunk).flatMap((chunk) => {
        const hits = hot?.[region]![chunk] ?? 0
        const first = chunk * CHUNK_PAGES
        const isWanted = hits > 0 === isHot
        return isWanted ? [region, first, Math.min(first + CHUNK_PAGES, pageCount)] : []
      }),
    )
  const chunks = [...chunksOf(true), ...chunksOf(false)]
  const pieces = new Uint32Array(allocateShared(chunks.length * 4).buffer)
  pieces.set(chunks)
  const count = chunks.length / PIECE_WORDS
  const states = new Int32Array(allocateShared((count + 1) * 4).buffer)
  // What nobody has looked at yet counts as dirty: it may be on its way before long.
  for (const bitmap of dirty) bitmap.addAll()
  const ownedPages = owned ? CHUNK_PAGES : 0
  return { pieces, taken: takenWords(count), ownedPages, sweep: { states, zeros, kept } }
}

/** Chunks in a region of so many pages. */
export function chunkCountOf(pageCount: number): number {
  return Math.ceil(pageCount / CHUNK_PAGES)
}

/** Nobody begins to look at another chunk. */
export function endSweep({ states }: Sweep): void {
  Atomics.store(states, states.length - 1, states.length)
}

/** The next chunk to look at; -1 when somebody looks at each, or has. */
export function takeChunk({ states }: Sweep): number {
  const last = states.length - 1
  if (Atomics.load(states, last) >= last) return -1
  const chunk = Atomics.add(states, last, 1)
  return chunk < last ? chunk : -1
}

/** Somebody has looked at a chunk. */
export function lookedAt({ states }: Sweep, chunk: number, isDirty: boolean): void {
  Atomics.store(states, chunk, isDirty ? ChunkState.Found : ChunkState.Done)
}

/** The chunks with dirty pages that one lane takes, who looks for more where there are none. */
export class SweepPieces implements RoundPieces {
  region: RegionRound | undefined
  regionIndex = 0
  page = 0
  endPage = 0
  readonly leftPages = 0
  readonly windowBytes: number = Infinity
  readonly #work: RoundWork
  readonly #sweep: Sweep
  readonly #sent: readonly SentPages[]
  readonly #scan: MemoryScan
  readonly #clock: Clock
  readonly #index: number
  readonly #lanes: number
  /** Milliseconds of this lane's looks. */
  lookMs = 0
  /** Chunks before it are none of this lane's any more. */
  #first = 0
  #isWaiting = false

  /** @param index - number of the lane, of so many `lanes` */
  constructor(
    work: RoundWork,
    sweep: Sweep,
    sent: readonly SentPages[],
    scan: MemoryScan,
    clock: Clock,
    lane: { readonly index: number; readonly lanes: number },
  ) {
    this.#work = work
    this.#sweep = sweep
    this.#sent = sent
    this.#scan = scan
    this.#clock = clock
    this.#index = lane.index
    this.#lanes = lane.lanes
    this.#enter(0, 0, 0)
  }

  take(): boolean {
    if (isCutShort(this.#work)) {
      endSweep(this.#sweep)
      this.page = this.endPage
      return false
    }
    if (this.page < this.endPage) return true
    if (this.#takeFound()) return true
    const hasLooked = this.lookAhead()
    if (this.#takeFound()) return true
    // Nothing to send yet, but there may be: an empty piece lets others have their turn.
    return hasLooked || this.#isWaiting
  }

  awaitsMore(): boolean {
    return false
  }

  /** Looks at another chunk while the link is busy. @returns false where each has its looker */
  lookAhead(): boolean {
    const startMs = this.#clock.nowMs()
    const hasLooked = this.#scan.look(this.#work, this.#sweep)
    this.lookMs += this.#clock.nowMs() - startMs
    return hasLooked
  }

  #takeFound(): boolean {
    const { states } = this.#sweep
    const { pieces, ownedPages } = this.#work
    // Nobody has come further than that.
    const end = Math.min(Atomics.load(states, states.length - 1), states.length - 1)
    this.#isWaiting = end < states.length - 1
    for (let chunk = this.#first; chunk < end; chunk++) {
      const state = Atomics.load(states, chunk)
      const at = chunk * PIECE_WORDS
      const isOwn =
        ownedPages === 0 || ownerOf(pieces[at + 1]!, this.#lanes, ownedPages) === this.#index
      const isOver = !isOwn || state === ChunkState.Done
      if (isOver && chunk === this.#first) this.#first++
      if (isOver) continue
      if (state === ChunkState.Open) {
        this.#isWaiting = true
        continue
      }
      if (Atomics.compareExchange(states, chunk, state, ChunkState.Done) !== state) continue
      this.#enter(pieces[at]!, pieces[at + 1]!, pieces[at + 2]!)
      return true
    }
    return false
  }

  #enter(index: number, page: number, endPage: number): void {
    this.region = regionRoundOf(this.#work, this.#sent, index)
    this.regionIndex = index
    this.page = page
    this.endPage = endPage
  }
}
