/**
 * The source's half of a page's way where pages are looked at one by one: references, deltas, and
 * batches apart by what their pages are like, each compressed as it suits them.
 *
 * Pages are staged first, as in `batch-encoder.ts`: what is hashed is what is sent.
 *
 * @module
 */
import type { PageBitmap } from '@godwit/core'
import { FingerprintTable, KIB } from '@godwit/core'
import type { EncodeSettings } from '@godwit/policy'
import { BATCH_ENTRIES_MAX } from '@godwit/wire'
import type { RegionRound } from './batch-encoder.ts'
import { COUNTS_PER_PAGE } from './page-class.ts'
import type { StagedPage } from './page-deltas.ts'
import { PageInspector } from './page-inspector.ts'
import type { PageTally } from './page-tally.ts'
import type { BatchSink, PageWriterOptions } from './page-writer.ts'
import { PageWriter, pageWriterBytes } from './page-writer.ts'
import { StaticFinder } from './static-finder.ts'

const stagedBytes = 256 * KIB
/** Untouched pages, all zero, that are handled at a time. */
const zeroPagesMax = BATCH_ENTRIES_MAX

/** Slots that one step may need: one for each class. */
export const slotsPerStep = (findsStatic: boolean): number => (findsStatic ? 4 : 3)

/** The workspace has room for {@link richEncoderBytes}. */
export type RichEncoderOptions = PageWriterOptions

/** Encodes the pages of one lane. */
export class RichEncoder {
  readonly #options: RichEncoderOptions
  readonly #stagedPages: number
  readonly #stage: Uint8Array
  readonly #inspector: PageInspector
  readonly #counts: Uint16Array
  readonly #staged: StagedPage
  readonly #writer: PageWriter
  readonly #finder: StaticFinder | undefined
  readonly #zeroFingerprints = new Map<number, FingerprintTable>()

  constructor(options: RichEncoderOptions, sink: BatchSink) {
    const { workspace, pageBytes, hasher } = options
    const pagesMax = stagedPagesOf(pageBytes)
    this.#options = options
    this.#stagedPages = pagesMax
    this.#stage = workspace.allocate(pagesMax * pageBytes)
    this.#inspector = new PageInspector({ pageBytes, workspace, hasher, raw: false, pagesMax })
    const counts = workspace.allocate(pagesMax * COUNTS_PER_PAGE * 2)
    this.#counts = new Uint16Array(counts.buffer, counts.byteOffset, pagesMax * COUNTS_PER_PAGE)
    const { fingerprints } = this.#inspector
    this.#staged = { bytes: this.#stage, at: 0, length: 0, fingerprints, entry: 0 }
    this.#writer = new PageWriter(options, sink, this.#staged, this.#counts)
    const { staticPages } = options
    this.#finder = staticPages && new StaticFinder(staticPages, workspace, pageBytes, this.#stage)
  }

  /** Memory of versions last sent, and of older ones, so far. */
  get heldBytes(): PageWriter['heldBytes'] {
    return this.#writer.heldBytes
  }

  get cacheCounts(): PageWriter['cacheCounts'] {
    return this.#writer.cacheCounts
  }

  /** Batches get no more pages than this, if that is fewer than fit. */
  limitBatches(pagesMax: number): void {
    this.#writer.pagesMax = pagesMax
  }

  /** Whether pages that follow, and were not kept before, are kept as versions for deltas. */
  keepVersions(mayKeep: boolean): void {
    this.#writer.mayKeep = mayKeep
  }

  /**
   * Handles some dirty pages of `[fromPage, endPage)`. Needs {@link slotsPerStep} slots, one more
   * for each when the region is another than the step's before.
   *
   * @param dirty - of all regions: pages that cannot be named; undefined: none can
   * @returns where the next step goes on; `endPage` when all are done
   */
  step(
    work: RegionRound,
    regionIndex: number,
    dirty: readonly PageBitmap[] | undefined,
    fromPage: number,
    endPage: number,
    tally: PageTally,
  ): number {
    this.#writer.enter(work.round, regionIndex)
    const { untouched } = work
    const again = work.leavesAgain === true ? work.again : undefined
    const page = work.dirty.nextSet(fromPage, endPage)
    if (page >= endPage) return endPage
    if (untouched?.has(page) === true) {
      const most = Math.min(page + zeroPagesMax, endPage)
      const end = untouched.nextClear(page, work.dirty.nextClear(page, most))
      for (let zero = page; zero < end; zero++) this.#zeroPage(work, zero, tally)
      return end
    }
    let end = work.dirty.nextClear(page, Math.min(page + this.#stepPages, endPage))
    if (untouched !== undefined) end = untouched.nextSet(page, end)
    if (again !== undefined) {
      if (again.has(page)) {
        const heldEnd = again.nextClear(page, end)
        tally.heldPages += heldEnd - page
        return heldEnd
      }
      end = again.nextSet(page, end)
    }
    this.#run(work, dirty, page, end, tally)
    return end
  }

  /** Closes all batches that are not empty, at the end of a round or before another region. */
  flush(): void {
    this.#writer.flush()
  }

  get #stepPages(): number {
    return Math.min(this.#stagedPages, this.#writer.pagesMax)
  }

  #run(
    work: RegionRound,
    dirty: readonly PageBitmap[] | undefined,
    first: number,
    end: number,
    tally: PageTally,
  ): void {
    const { pageBytes, settings, workspace } = this.#options
    const memory = work.sent.region.bytes
    const start = first * pageBytes
    const stop = Math.min(end * pageBytes, memory.length)
    workspace.copy(this.#stage, 0, memory, start, stop)
    this.#inspector.inspect(this.#stage, 0, stop - start)
    if (settings.classes) {
      const at = this.#stage.byteOffset
      workspace.kernels.classify(at, stop - start, pageBytes, this.#counts.byteOffset)
    }
    const { zeros } = this.#inspector
    const finder = work.mayLack === true && !work.known ? this.#finder : undefined
    finder?.look(stop - start)
    for (let page = first; page < end; page++) {
      const index = page - first
      if (zeros[index] === 1) {
        this.#zeroPage(work, page, tally)
        continue
      }
      const staged = this.#staged
      staged.at = index * pageBytes
      staged.length = Math.min(pageBytes, stop - start - staged.at)
      staged.entry = index
      if (staged.length < pageBytes || !this.#isKnown(finder, work, page, tally)) {
        this.#dataPage(work, dirty, page, tally)
      }
    }
  }

  /** @returns whether the staged page was found, and is sent by a number */
  #isKnown(
    finder: StaticFinder | undefined,
    work: RegionRound,
    page: number,
    tally: PageTally,
  ): boolean {
    const { entry, fingerprints } = this.#staged
    const known = finder?.find(entry, this.#writer.numberOf(page), fingerprints) ?? -1
    if (known >= 0) this.#writer.known(work, page, known, tally)
    return known >= 0
  }

  #zeroPage(work: RegionRound, page: number, tally: PageTally): void {
    const { sent, known, postCopy } = work
    const { pageBytes } = this.#options
    const length = Math.min(pageBytes, sent.region.bytes.length - page * pageBytes)
    const zero = this.#zeroFingerprint(length)
    if (known && !postCopy && sent.fingerprints.equals(page, zero, 0)) {
      tally.unchangedPages++
      tally.unchangedBytes += length
      return
    }
    sent.fingerprints.copyEntry(page, zero, 0)
    this.#writer.zero(page)
    tally.zeroPages++
    tally.zeroBytes += length
    tally.pages++
  }

  #dataPage(
    work: RegionRound,
    dirty: readonly PageBitmap[] | undefined,
    page: number,
    tally: PageTally,
  ): void {
    const { sent, known, postCopy } = work
    const { fingerprints, entry, length } = this.#staged
    if (known && sent.fingerprints.equals(page, fingerprints, entry)) {
      if (postCopy) {
        this.#writer.unchanged(page, tally)
        return
      }
      tally.unchangedPages++
      tally.unchangedBytes += length
      return
    }
    this.#writer.page(work, page, dirty, tally)
  }

  #zeroFingerprint(length: number): FingerprintTable {
    let table = this.#zeroFingerprints.get(length)
    if (table === undefined) {
      const { hasher } = this.#options
      table = new FingerprintTable(1, hasher.entryBytes)
      hasher.hashPages(new Uint8Array(length), 0, length, length, table, 0)
      this.#zeroFingerprints.set(length, table)
    }
    return table
  }
}

function stagedPagesOf(pageBytes: number): number {
  return Math.max(1, Math.floor(stagedBytes / pageBytes))
}

/** What an encoder takes of a workspace, its slots apart. */
export function richEncoderBytes(
  pageBytes: number,
  settings: EncodeSettings,
  cacheBytes: number,
): number {
  const perPage = pageBytes + 1 + 32 + COUNTS_PER_PAGE * 2
  return stagedPagesOf(pageBytes) * perPage + pageWriterBytes(pageBytes, settings, cacheBytes)
}
