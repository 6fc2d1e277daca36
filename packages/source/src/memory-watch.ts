/**
 * Finds out before round 1 where the guest stores to: pages here and there are looked at now and
 * then while the destination makes room. What is stored to goes last in round 1, so that less of it
 * is dirty again when the round ends; a guest that goes through its memory in order is followed
 * from where it has just been: what it stores to next is sent after that, not before.
 *
 * @module
 */
import type { Clock } from '@godwit/core'
import { FingerprintTable, yieldTo } from '@godwit/core'
import type { MemoryScan } from './memory-scan.ts'
import type { RoundWork } from './round-work.ts'
import { PIECE_WORDS, Taken } from './round-work.ts'
import { LOOKS_PER_TURN, SAMPLED_PAGES } from './memory-sample.ts'
import { CHUNK_PAGES, chunkCountOf } from './sweep.ts'

/** From one look to the next; each takes some milliseconds, and no more than this share of all. */
const everyMs = 250
const lookShareMax = 0.2
/** The same in round 1, only where it stores to. */
const followMs = 100
/** Where it stores to more than 512 MiB, of 4 KiB pages, there is nobody to follow. */
const followPiecesMax = 256
/**
 * A guest that goes through its memory in order has not been everywhere yet, as a rule. Whoever
 * follows it must not leave out what lies before it: he would be in front of it from there on, and
 * all that he sends would be stored to again. So a gap between hot chunks counts as hot, if it is
 * no more than this share of all that are; to send something last costs nothing.
 */
const gapShareMax = 1 / 2
/** Where there is none, so many more at both ends: it is there that it has not been. */
const widenedShare = 1 / 4
/** It has been around where chunks were hot in more looks than so many each. */
const aroundShare = 5 / 4
/** How far behind the stores the first piece is, of all of what goes last. */
const behindShare = 1 / 8

/** Of one migration. */
export class MemoryWatch {
  readonly #scan: MemoryScan
  readonly #clock: Clock
  /** Per region: for each chunk, how often a page of it was seen to have changed. */
  readonly #hot: readonly Uint16Array[]
  /** Per region: of the pages that are looked at. */
  readonly #last: readonly FingerprintTable[]
  readonly #fresh: FingerprintTable
  /** Per region: for each chunk, the last look that saw such a page. */
  readonly #lastLooks: readonly Uint32Array[]
  /** In how many looks chunks were hot, all together. */
  #hotLooks = 0
  #looks = 0
  /** There are no more looks at all of memory. */
  #isOver = false
  #isFollowing = false
  #cancel = (): void => {}

  constructor(scan: MemoryScan, clock: Clock) {
    this.#scan = scan
    this.#clock = clock
    const { pageCounts, entryBytes } = scan
    this.#hot = pageCounts.map((pageCount) => new Uint16Array(chunkCountOf(pageCount)))
    this.#lastLooks = this.#hot.map(({ length }) => new Uint32Array(length))
    this.#last = pageCounts.map((pageCount) => {
      return new FingerprintTable(Math.ceil(pageCount / SAMPLED_PAGES), entryBytes)
    })
    this.#fresh = new FingerprintTable(1, entryBytes)
  }

  /** Looks until {@link end}. */
  begin(): void {
    // A look that fails tells nothing.
    this.#look().catch(() => {})
  }

  /**
   * @returns per region: hits in each chunk, one where it is among hot ones; undefined where there
   *   was no time to see any
   */
  end(): readonly Uint16Array[] | undefined {
    this.#isOver = true
    this.#isFollowing = false
    this.#cancel()
    if (this.#looks < 2) return undefined
    const hotChunks = this.#hot.reduce((sum, hits) => sum + hits.filter((hit) => hit > 0).length, 0)
    const isAround = this.#hotLooks > hotChunks * aroundShare
    // What was seen stays as it is: this is asked for more than once.
    return this.#hot.map((seen) => {
      const hits = seen.slice()
      const hasGaps = fillGaps(hits, hotChunks * gapShareMax)
      if (!hasGaps && !isAround) widen(hits, Math.ceil(hotChunks * widenedShare))
      return hits
    })
  }

  /** Round 1 has begun: turns what goes last in it to where the guest stores, until {@link end}. */
  follow({ pieces, taken }: Pick<RoundWork, 'pieces' | 'taken'>): void {
    const tail = taken[Taken.Tail]! * PIECE_WORDS
    const count = (pieces.length - tail) / PIECE_WORDS
    if (count === 0 || count > followPiecesMax) return
    this.#isFollowing = true
    const look = (): void => {
      if (!this.#isFollowing || Atomics.load(taken, Taken.FirstTurn) >= 0) return
      const turn = startBehind(this.#changed(pieces.subarray(tail)))
      if (turn >= 0) Atomics.store(taken, Taken.Turn, turn)
      this.#cancel = this.#clock.after(followMs, look)
    }
    look()
  }

  /** @returns for each piece, whether it has changed since the last look */
  #changed(pieces: Uint32Array): readonly boolean[] {
    const changed: boolean[] = []
    for (let at = 0; at < pieces.length; at += PIECE_WORDS) {
      const region = pieces[at]!
      let hits = 0
      for (let page = pieces[at + 1]!; page < pieces[at + 2]!; page += SAMPLED_PAGES) {
        if (this.#hasChanged(region, page)) hits++
      }
      changed.push(hits > 0)
    }
    return changed
  }

  #hasChanged(region: number, page: number): boolean {
    const last = this.#last[region]!
    const at = page / SAMPLED_PAGES
    this.#scan.hashPage(region, page, this.#fresh)
    if (last.equals(at, this.#fresh, 0)) return false
    last.copyEntry(at, this.#fresh, 0)
    return true
  }

  #note(region: number, chunk: number): void {
    this.#hot[region]![chunk]!++
    const lastLooks = this.#lastLooks[region]!
    if (lastLooks[chunk] !== this.#looks) this.#hotLooks++
    lastLooks[chunk] = this.#looks
  }

  async #look(): Promise<void> {
    const startMs = this.#clock.nowMs()
    const zeros = this.#scan.findZeros()
    for (const [region, last] of this.#last.entries()) {
      for (let at = 0; at < last.entryCount; at++) {
        if (at % LOOKS_PER_TURN === LOOKS_PER_TURN - 1) await yieldTo(this.#clock)
        if (this.#isOver) return
        const page = at * SAMPLED_PAGES
        if (zeros[region]!.has(page)) continue
        if (!this.#hasChanged(region, page)) continue
        if (this.#looks > 0) this.#note(region, Math.floor(page / CHUNK_PAGES))
      }
    }
    this.#looks++
    const tookMs = this.#clock.nowMs() - startMs
    const waitMs = Math.max(everyMs, tookMs / lookShareMax)
    this.#cancel = this.#clock.after(waitMs, () => this.begin())
  }
}

/**
 * Where to begin so that the guest's stores are followed: a little before the end of the longest
 * row of what has changed, going round. The link may be faster than the guest.
 *
 * @returns -1 where nothing has changed, or everything
 */
function startBehind(changed: readonly boolean[]): number {
  const { length: count } = changed
  let best = -1
  let bestLength = 0
  for (const [start, is] of changed.entries()) {
    if (!is || changed.at(start - 1) === true) continue
    let length = 1
    while (changed[(start + length) % count] === true) length++
    if (length > bestLength) [best, bestLength] = [start, length]
  }
  if (best < 0) return -1
  return (best + Math.max(0, bestLength - Math.ceil(count * behindShare))) % count
}

/**
 * @param gapMost - longer rows without a hit, and those at the ends, stay as they are
 * @returns whether there were any
 */
function fillGaps(hits: Uint16Array, gapMost: number): boolean {
  let last = -1
  let hasGaps = false
  for (let chunk = 0; chunk < hits.length; chunk++) {
    if (hits[chunk] === 0) continue
    if (last >= 0 && chunk - last - 1 <= gapMost && chunk > last + 1) {
      hits.fill(1, last + 1, chunk)
      hasGaps = true
    }
    last = chunk
  }
  return hasGaps
}

/** Before the longest row of hits, and behind it. */
function widen(hits: Uint16Array, chunks: number): void {
  let [start, length] = [0, 0]
  for (let chunk = 0, row = 0; chunk < hits.length; chunk++) {
    row = hits[chunk] === 0 ? 0 : row + 1
    if (row > length) [start, length] = [chunk + 1 - row, row]
  }
  if (length === 0) return
  for (let chunk = Math.max(0, start - chunks); chunk < start; chunk++) hits[chunk] ||= 1
  const end = start + length
  for (let chunk = end; chunk < Math.min(hits.length, end + chunks); chunk++) hits[chunk] ||= 1
}
