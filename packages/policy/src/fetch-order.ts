/**
 * In which order pages follow a guest that runs at the destination already (`--fetch`), beside
 * those that it waits for. After Hines, Deshpande and Gopalan (Post-copy live migration of
 * virtual machines, 2009): active push, pre-paging around one pivot, and around several
 * ("bubbling").
 *
 * @module
 */
import type { MigrationMode, PageBitmap } from '@godwit/core'
import { GodwitError, mayPostCopy } from '@godwit/core'

/** `demand`: none while the guest asks for pages. */
export type FetchName = 'demand' | 'push' | 'prepage' | 'bubbles'
export const FETCH_NAMES: readonly FetchName[] = ['demand', 'push', 'prepage', 'bubbles']
export const FETCH_DEFAULT: FetchName = 'bubbles'

/** @throws {GodwitError} `USAGE`: an order was asked for in a mode that has no use for it */
export function checkFetch(mode: MigrationMode, fetch: FetchName | undefined): void {
  if (fetch === undefined || mayPostCopy(mode)) return
  throw new GodwitError('USAGE', `fetch=${fetch}: mode ${mode} has no post-copy`)
}

/** A page that the guest waited for, or a place to go on from. */
export interface Pivot {
  readonly region: number
  readonly page: number
}

/** Where to push from: pages `[firstPage, endPage)` of a region, those of them that are left. */
export interface Chunk {
  readonly region: number
  readonly firstPage: number
  readonly endPage: number
}

/** How many pivots `bubbles` grows around. */
export const PIVOTS_MAX = 7
/**
 * Chunks of `bubbles` that go ahead of a new fault, a window in all: it is likely that the guest
 * walks on there, and the other pivots are where it was.
 */
const aheadChunks = 4
/** Faults of the same walk are no farther apart. */
const walkPages = 256
/** Without a fault for so long, `demand` pushes what is left. */
const quietMs = 1000

/** Picks chunks; one per lane. Pure but for where it went on. */
export class FetchOrder {
  readonly #name: FetchName
  /** Where the push goes on that follows no pivot. */
  #cursor: Pivot = { region: 0, page: 0 }
  /** Of `bubbles`: the side of which pivot is next. */
  #turn = 0
  /** Of `bubbles`: the last fault that was seen, where its walk goes, and what goes ahead of it. */
  #newest: Pivot | undefined
  #isDownward = false
  #aheadLeft = 0

  constructor(name: FetchName) {
    this.#name = name
  }

  /** How long to push nothing, `sinceFaultMs` after the last fault, or after the guest began. */
  waitMs(sinceFaultMs: number): number {
    return this.#name === 'demand' ? Math.max(0, quietMs - sinceFaultMs) : 0
  }

  /**
   * The next chunk.
   *
   * @param left - per region: what was not sent; the chunk begins and ends with such a page
   * @param pivots - newest first; at most {@link PIVOTS_MAX} are looked at
   * @param pages - most pages of a chunk
   * @returns undefined when nothing is left
   */
  next(left: readonly PageBitmap[], pivots: readonly Pivot[], pages: number): Chunk | undefined {
    const near = this.#nearPivot(left, pivots, pages)
    if (near !== undefined) return near
    return this.#onwards(left, pages)
  }

  #nearPivot(
    left: readonly PageBitmap[],
    pivots: readonly Pivot[],
    pages: number,
  ): Chunk | undefined {
    if (this.#name === 'push' || this.#name === 'demand' || pivots.length === 0) return undefined
    if (this.#name === 'prepage') return above(left, pivots[0]!, pages)
    return this.#ahead(left, pivots, pages) ?? this.#around(left, pivots, pages)
  }

  /** First a window ahead of a new fault, then every other chunk. */
  #ahead(left: readonly PageBitmap[], pivots: readonly Pivot[], pages: number): Chunk | undefined {
    const newest = pivots[0]!
    if (newest.region !== this.#newest?.region || newest.page !== this.#newest.page) {
      this.#newest = newest
      this.#isDownward = isDownward(pivots)
      this.#aheadLeft = aheadChunks
    }
    if (this.#aheadLeft === 0) {
      this.#aheadLeft = 1
      return undefined
    }
    this.#aheadLeft--
    return this.#isDownward ? below(left, newest, pages) : above(left, newest, pages)
  }

  /** Each side of each pivot in turn. */
  #around(left: readonly PageBitmap[], pivots: readonly Pivot[], pages: number): Chunk | undefined {
    const sides = Math.min(pivots.length, PIVOTS_MAX) * 2
    for (let i = 0; i < sides; i++) {
      const turn = this.#turn++ % sides
      const pivot = pivots[turn >>> 1]!
      const chunk = (turn & 1) === 0 ? above(left, pivot, pages) : below(left, pivot, pages)
      if (chunk !== undefined) return chunk
    }
    return undefined
  }

  /** In order, from where it went on last, around all regions once. */
  #onwards(left: readonly PageBitmap[], pages: number): Chunk | undefined {
    let { region, page } = this.#cursor
    for (let i = 0; i <= left.length; i++) {
      const chunk = above(left, { region, page }, pages)
      if (chunk !== undefined) {
        this.#cursor = { region, page: chunk.endPage }
        return chunk
      }
      region = (region + 1) % left.length
      page = 0
    }
    return undefined
  }
}

/** Whether the last fault before the newest that is of the same walk was above it. */
function isDownward([newest, ...older]: readonly Pivot[]): boolean {
  const { region, page } = newest!
  const last = older.find((one) => {
    return one.region === region && Math.abs(one.page - page) <= walkPages
  })
  return last !== undefined && last.page > page
}

/** The first pages that are left from a place on, in its region. */
function above(left: readonly PageBitmap[], from: Pivot, pages: number): Chunk | undefined {
  const bitmap = left[from.region]!
  const firstPage = bitmap.nextSet(from.page)
  if (firstPage >= bitmap.pageCount) return undefined
  const endPage = Math.min(firstPage + pages, bitmap.pageCount)
  return { region: from.region, firstPage, endPage }
}

/** The last ones in front of it. */
function below(left: readonly PageBitmap[], from: Pivot, pages: number): Chunk | undefined {
  const bitmap = left[from.region]!
  const last = bitmap.lastSet(from.page)
  if (last < 0) return undefined
  return { region: from.region, firstPage: Math.max(0, last + 1 - pages), endPage: last + 1 }
}
