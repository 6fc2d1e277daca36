/**
 * Batches in which pages come as references or deltas. All pages are made apart first, from what
 * memory and store hold before the batch; nothing is written before all of it was found right.
 *
 * Everything comes from the peer: each number is checked before it is used.
 *
 * @module
 */
import type { PagePlacer } from '@godwit/core'
import { CodecError, FingerprintTable, pagesCovering } from '@godwit/core'
import type { BatchHeader, Nak } from '@godwit/wire'
import {
  CHECK_BYTES,
  DELTA,
  DELTA_BYTES,
  KEEP_BYTES,
  PageEncoding,
  REFERENCE,
  REFERENCE_BYTES,
  SAME_AS,
  SAME_AS_BYTES,
  SIMILAR,
  SIMILAR_BYTES,
  STATIC_BYTES,
} from '@godwit/wire'
import type { BatchDecoderOptions, DecodedTotals, Payload } from './batch-decoder.ts'
import type { Run } from './batch-run.ts'
import { checkRuns, countRuns, nakOf, readRuns, refused } from './batch-run.ts'
import { ContentStore } from './content-store.ts'
import { StagedPages } from './staged-pages.ts'
import type { InstalledPages } from './installed-pages.ts'
import { claimPages, clearPages, releasePages, rememberPages } from './installed-pages.ts'
import { StaticPages } from './static-pages.ts'

/** Decodes batches with records, for one lane. */
export class RecordDecoder {
  readonly store: ContentStore
  readonly #static: StaticPages | undefined
  readonly #options: BatchDecoderOptions
  readonly #regions: ReadonlyMap<number, InstalledPages>
  readonly #staged: StagedPages
  readonly #base: FingerprintTable
  /** Something is named that is not here. */
  #isLacking = false
  #postCopy = false

  /** @param pagesMax - most pages with content in a batch */
  constructor(
    options: BatchDecoderOptions,
    regions: ReadonlyMap<number, InstalledPages>,
    pagesMax: number,
  ) {
    const { pageBytes, hasher, storeBytes } = options
    this.#options = options
    this.#regions = regions
    this.store = new ContentStore(storeBytes, pageBytes)
    this.#staged = new StagedPages({ ...options, regionCount: regions.size, pagesMax })
    this.#static = staticPagesOf(options, pagesMax)
    this.#base = new FingerprintTable(1, hasher.entryBytes)
  }

  /** Closes files. */
  close(): void {
    this.#static?.close()
  }

  /** @throws {CodecError} */
  decode(
    view: DataView,
    header: BatchHeader,
    payload: Payload,
    target: InstalledPages,
    totals: DecodedTotals,
    postCopy: boolean,
  ): Nak | undefined {
    const staged = this.#staged
    staged.begin()
    this.#isLacking = false
    this.#postCopy = postCopy
    const runs = readRuns(view, header.entryCount, payload, target.region, this.#options.pageBytes)
    checkRuns(runs, pagesCovering(target.region.bytes.length, this.#options.pageBytes))
    const records = new DataView(payload.bytes.buffer, payload.bytes.byteOffset)
    for (const run of runs) this.#stageRun(run, records, payload.bytes, target)
    staged.finish()
    countRuns(runs, header, totals)
    if (this.#isLacking || !staged.checksMatch) return nakOf(runs, header)
    staged.checkDigest(header.digest)
    const pages = runs.filter(({ encoding }) => encoding !== PageEncoding.Keep)
    if (postCopy) for (const run of pages) claimPages(target, run.firstPage, endOf(run))
    for (const run of runs) if (run.encoding === PageEncoding.Keep) this.#keep(run, records, target)
    this.#install(pages, target)
    if (postCopy) for (const run of pages) releasePages(target, run.firstPage, endOf(run))
    return undefined
  }

  #stageRun(run: Run, records: DataView, bytes: Uint8Array, target: InstalledPages): void {
    switch (run.encoding) {
      case PageEncoding.Raw:
        this.#stageRaw(run, bytes, target)
        break
      case PageEncoding.Zero:
        if (run.end !== run.at) throw refused('has payload for zero pages')
        break
      case PageEncoding.SameAs:
        this.#stageSameAs(run, records, target)
        break
      case PageEncoding.Reference:
        this.#stageReferences(run, records, target)
        break
      case PageEncoding.Static:
        this.#stageStatic(run, records, target)
        break
      case PageEncoding.Keep:
        this.#checkKeep(run, records)
        break
      case PageEncoding.Delta:
      case PageEncoding.Similar:
        this.#stageDeltas(run, records, bytes, target)
        break
      default:
        throw new CodecError('CODEC_ENCODING', `Page encoding ${run.encoding} is not known`)
    }
  }

  #stageRaw(run: Run, bytes: Uint8Array, target: InstalledPages): void {
    let { at } = run
    for (let page = run.firstPage; page < run.firstPage + run.pageCount; page++) {
      const length = this.#lengthOf(target, page)
      if (at + length > run.end) throw refused('has pages without their bytes')
      const to = this.#staged.room(length)
      this.#staged.bytes.set(bytes.subarray(at, at + length), to)
      this.#staged.add(length)
      at += length
    }
    if (at !== run.end) throw refused('has more bytes than its pages')
  }

  #stageSameAs(run: Run, records: DataView, target: InstalledPages): void {
    if (run.end - run.at !== SAME_AS_BYTES + run.pageCount * CHECK_BYTES) {
      throw refused('states a length that its pages cannot have')
    }
    if (records.getUint16(run.at + SAME_AS.reserved, true) !== 0) {
      throw refused('has a reserved field that is not zero')
    }
    const region = records.getUint16(run.at + SAME_AS.region, true)
    const firstPage = records.getUint32(run.at + SAME_AS.firstPage, true)
    for (let i = 0; i < run.pageCount; i++) {
      const length = this.#lengthOf(target, run.firstPage + i)
      this.#stageOther(region, firstPage + i, length)
      const check = records.getUint32(run.at + SAME_AS_BYTES + i * CHECK_BYTES, true)
      this.#staged.expect(check)
      this.#staged.add(length)
    }
  }

  #stageReferences(run: Run, records: DataView, target: InstalledPages): void {
    if (run.end - run.at !== run.pageCount * REFERENCE_BYTES) {
      throw refused('states a length that its pages cannot have')
    }
    for (let i = 0; i < run.pageCount; i++) {
      const at = run.at + i * REFERENCE_BYTES
      const slot = this.#checkSlot(records.getUint32(at + REFERENCE.slot, true))
      const length = this.#lengthOf(target, run.firstPage + i)
      const kept = this.store.get(slot)
      const to = this.#staged.room(length)
      if (kept?.length === length) this.#staged.bytes.set(kept, to)
      else this.#isLacking = true
      this.#staged.expect(records.getUint32(at + REFERENCE.check, true))
      this.#staged.add(length)
    }
  }

  #stageStatic(run: Run, records: DataView, target: InstalledPages): void {
    const { pageBytes } = this.#options
    if (run.end - run.at !== run.pageCount * STATIC_BYTES) {
      throw refused('states a length that its pages cannot have')
    }
    const pages = this.#static!
    const start = this.#staged.end
    let next = 0
    pages.begin()
    for (let i = 0; i < run.pageCount; i++) {
      const entry = (next + records.getUint32(run.at + i * STATIC_BYTES, true)) >>> 0
      next = entry + 1
      if (this.#lengthOf(target, run.firstPage + i) < pageBytes) {
        throw refused('names a page of another length')
      }
      this.#staged.room(pageBytes)
      pages.ask(entry)
      this.#staged.add(pageBytes)
    }
    if (!this.#isLacking && !pages.take(this.#staged.bytes, start)) this.#isLacking = true
  }

  #checkKeep(run: Run, records: DataView): void {
    if (run.end - run.at !== run.pageCount * KEEP_BYTES) {
      throw refused('states a length that its pages cannot have')
    }
    for (let i = 0; i < run.pageCount; i++) {
      this.#checkSlot(records.getUint32(run.at + i * KEEP_BYTES, true))
    }
  }

  #stageDeltas(run: Run, records: DataView, bytes: Uint8Array, target: InstalledPages): void {
    const isSimilar = run.encoding === PageEncoding.Similar
    const headBytes = isSimilar ? SIMILAR_BYTES : DELTA_BYTES
    let { at } = run
    for (let page = run.firstPage; page < run.firstPage + run.pageCount; page++) {
      if (at + headBytes > run.end) throw refused('ends within a delta')
      const length = this.#lengthOf(target, page)
      const deltaBytes = records.getUint16(at + (isSimilar ? SIMILAR.length : DELTA.length), true)
      const check = records.getUint32(at + (isSimilar ? SIMILAR.check : DELTA.check), true)
      if (at + headBytes + deltaBytes > run.end) throw refused('ends within a delta')
      if (deltaBytes > this.#options.pageBytes) throw refused('has a delta longer than a page')
      if (isSimilar) {
        const region = records.getUint16(at + SIMILAR.region, true)
        this.#stageOther(region, records.getUint32(at + SIMILAR.page, true), length)
      } else {
        this.#stageMemory(target, page, length)
      }
      at += headBytes
      this.#applyDelta(check, length, bytes, at, deltaBytes)
      this.#staged.add(length)
      at += deltaBytes
    }
    if (at !== run.end) throw refused('has bytes left over')
  }

  /** Turns the base that stands at the end of what is staged into the page. */
  #applyDelta(
    check: number,
    length: number,
    bytes: Uint8Array,
    at: number,
    deltaBytes: number,
  ): void {
    const { hasher, pageBytes, workspace } = this.#options
    const page = this.#staged.end
    hasher.hashPages(this.#staged.bytes, page, page + length, pageBytes, this.#base, 0)
    if (this.#base.words32[0] !== check) {
      this.#isLacking = true
      return
    }
    const delta = this.#inKernels(bytes, at, deltaBytes)
    const to = this.#staged.bytes.byteOffset + page
    if (workspace.kernels.decodeDelta(to, length, delta, deltaBytes) < 0) {
      throw refused('has a delta that is none')
    }
  }

  /** The offset of bytes in the kernels' memory; a receive buffer that grew is elsewhere. */
  #inKernels(bytes: Uint8Array, at: number, byteCount: number): number {
    const { kernels } = this.#options.workspace
    if (bytes.buffer === kernels.bytes.buffer) return bytes.byteOffset + at
    // Behind the page that is being made there is room for one more.
    const staged = this.#staged.bytes
    const room = staged.length - byteCount
    staged.set(bytes.subarray(at, at + byteCount), room)
    return staged.byteOffset + room
  }

  #stageOther(regionId: number, page: number, length: number): void {
    const other = this.#regions.get(regionId)
    const { pageBytes } = this.#options
    if (other === undefined || page >= pagesCovering(other.region.bytes.length, pageBytes)) {
      throw new CodecError('CODEC_PAGE_RANGE', `Page ${page} of region ${regionId} is named`)
    }
    if (this.#lengthOf(other, page) !== length) throw refused('names a page of another length')
    this.#stageMemory(other, page, length)
  }

  #stageMemory(from: InstalledPages, page: number, length: number): void {
    const start = page * this.#options.pageBytes
    const to = this.#staged.room(length)
    if (this.#placerOf(from) !== undefined) {
      // The page may be missing, and this thread would wait for what it is to bring.
      this.#isLacking = true
      return
    }
    this.#options.workspace.copy(this.#staged.bytes, to, from.region.bytes, start, start + length)
  }

  #lengthOf({ region }: InstalledPages, page: number): number {
    const { pageBytes } = this.#options
    return Math.min(pageBytes, region.bytes.length - page * pageBytes)
  }

  #checkSlot(slot: number): number {
    if (slot < this.store.slotCount) return slot
    throw refused(`names slot ${slot} of a store of ${this.store.slotCount}`)
  }

  /** Who puts pages in place, where memory must not be touched. */
  #placerOf(target: InstalledPages): PagePlacer | undefined {
    return this.#postCopy ? target.placer : undefined
  }

  #keep(run: Run, records: DataView, target: InstalledPages): void {
    // What was to be kept is not found later on, and asked for.
    if (this.#placerOf(target) !== undefined) return
    for (let i = 0; i < run.pageCount; i++) {
      const page = run.firstPage + i
      const start = page * this.#options.pageBytes
      const held = target.region.bytes.subarray(start, start + this.#lengthOf(target, page))
      this.store.put(records.getUint32(run.at + i * KEEP_BYTES, true), held)
    }
  }

  #install(runs: readonly Run[], target: InstalledPages): void {
    const { pageBytes, workspace } = this.#options
    const placer = this.#placerOf(target)
    const { bytes, verifyFingerprints } = this.#staged
    let staged = 0
    let entry = 0
    for (const { encoding, firstPage, pageCount } of runs) {
      const endPage = firstPage + pageCount
      if (encoding === PageEncoding.Zero) {
        clearPages(target, firstPage, endPage, this.#options, placer)
        continue
      }
      const start = firstPage * pageBytes
      const byteCount = Math.min(endPage * pageBytes, target.region.bytes.length) - start
      const stagedEnd = staged + byteCount
      if (placer !== undefined) placer.put(firstPage, bytes, staged, stagedEnd)
      else workspace.copy(target.region.bytes, start, bytes, staged, stagedEnd)
      rememberPages(target, firstPage, pageCount, verifyFingerprints, entry)
      staged += byteCount
      entry += pageCount
    }
  }
}

function endOf({ firstPage, pageCount }: Run): number {
  return firstPage + pageCount
}

function staticPagesOf(options: BatchDecoderOptions, pagesMax: number): StaticPages | undefined {
  const { workspace, pageBytes, staticPages: contents } = options
  return contents && new StaticPages({ contents, workspace, pageBytes, pagesMax })
}
