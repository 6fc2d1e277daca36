/**
 * Looks pages up before there is a round, while the destination makes room and the source has
 * nothing else to do.
 *
 * @module
 */
import type { PageBitmap, PageHasher, Region } from '@godwit/core'
import { KIB } from '@godwit/core'
import { PageInspector } from './page-inspector.ts'
import type { ScannedPages } from './scanned-pages.ts'
import { NO_ENTRY, ScannedTable } from './scanned-pages.ts'
import { StaticFinder } from './static-finder.ts'
import type { StaticIndex } from './static-index.ts'
import type { Workspace } from './workspace.ts'

/** Looked up at a time: a fraction of a millisecond. */
const pieceBytes = 256 * KIB

export interface StaticScanOptions {
  /** What pages are looked up in: the first set that is offered, as if all of it were held. */
  readonly index: StaticIndex
  readonly into: ScannedPages
  /** With room for {@link staticScanBytes}. */
  readonly workspace: Workspace
  readonly pageBytes: number
  /** Of the session. */
  readonly hasher: PageHasher
  readonly regions: readonly Region[]
  /** Per region: pages that nobody has touched are not read. */
  readonly untouched: readonly PageBitmap[]
}

/** Of one migration. */
export class StaticScan {
  readonly #table: ScannedTable
  readonly #options: StaticScanOptions
  readonly #stage: Uint8Array
  readonly #inspector: PageInspector
  readonly #finder: StaticFinder
  #region = 0
  #page = 0
  /** Of the region's first page, over all regions. */
  #base = 0

  constructor(options: StaticScanOptions) {
    const { index, into, workspace, pageBytes, hasher } = options
    const pagesMax = piecePagesOf(pageBytes)
    this.#table = new ScannedTable(into)
    this.#options = options
    this.#stage = workspace.allocate(pagesMax * pageBytes)
    this.#inspector = new PageInspector({ pageBytes, workspace, hasher, raw: false, pagesMax })
    this.#finder = new StaticFinder({ indexes: [index] }, workspace, pageBytes, this.#stage)
  }

  /** Looks some pages up. @returns whether there are more */
  step(): boolean {
    const { regions, untouched, pageBytes } = this.#options
    const bitmap = untouched[this.#region]
    if (bitmap === undefined) return false
    const { bytes } = regions[this.#region]!
    // A short page at the end is no page of a set.
    const whole = Math.floor(bytes.length / pageBytes)
    const first = bitmap.nextClear(this.#page, whole)
    const end = bitmap.nextSet(first, Math.min(first + piecePagesOf(pageBytes), whole))
    if (first < end) this.#look(bytes, first, end)
    this.#page = end
    if (end >= whole) {
      this.#region++
      this.#page = 0
      this.#base += bitmap.pageCount
    }
    return true
  }

  #look(bytes: Uint8Array, first: number, end: number): void {
    const { workspace, pageBytes } = this.#options
    const byteCount = (end - first) * pageBytes
    workspace.copy(this.#stage, 0, bytes, first * pageBytes, end * pageBytes)
    this.#inspector.inspect(this.#stage, 0, byteCount)
    this.#finder.look(byteCount)
    const { zeros, fingerprints } = this.#inspector
    for (let index = 0; index < end - first; index++) {
      if (zeros[index] === 1) continue
      const page = this.#base + first + index
      const entry = this.#finder.find(index, page, fingerprints)
      this.#table.note(page, entry < 0 ? NO_ENTRY : entry, fingerprints, index)
    }
  }
}

function piecePagesOf(pageBytes: number): number {
  return Math.max(1, Math.floor(pieceBytes / pageBytes))
}

/** What a scan takes of a workspace: its stage, and what is found out about the pages there. */
export function staticScanBytes(pageBytes: number): number {
  return piecePagesOf(pageBytes) * (pageBytes + 1 + 32) + 2 * alignmentBytes
}

const alignmentBytes = 64
