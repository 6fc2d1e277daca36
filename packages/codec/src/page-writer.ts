/**
 * Decides how one staged page is sent, and puts it into the batch it belongs to.
 *
 * @module
 */
import type { PageBitmap, PageHasher } from '@godwit/core'
import { pagesCovering } from '@godwit/core'
import type { EncodeSettings } from '@godwit/policy'
import {
  CHECK_BYTES,
  DELTA_BYTES,
  PageEncoding,
  REFERENCE,
  REFERENCE_BYTES,
  SAME_AS_BYTES,
  SIMILAR_BYTES,
  STATIC_BYTES,
} from '@godwit/wire'
import type { RegionRound, SentPages } from './batch-encoder.ts'
import type { BatchSlot } from './batch-slot.ts'
import { compressedBatchPages } from './batch-slot.ts'
import type { ClosedBatch } from './open-batch.ts'
import { OpenBatch, checkOf } from './open-batch.ts'
import { COUNTS_PER_PAGE, PageClass, classOf, strideOf } from './page-class.ts'
import { PageDeltas, deltaBytesFor } from './page-deltas.ts'
import type { StagedPage } from './page-deltas.ts'
import { PageReferences, referenceBytesFor } from './page-references.ts'
import type { PageTally } from './page-tally.ts'
import type { StaticLookup } from './static-index.ts'
import type { CacheCounts } from './version-cache.ts'
import type { Workspace } from './workspace.ts'

export interface PageWriterOptions {
  readonly pageBytes: number
  readonly workspace: Workspace
  readonly hasher: PageHasher
  readonly settings: EncodeSettings
  readonly sent: readonly SentPages[]
  /** Of this lane; the settings' are for all lanes together. */
  readonly cacheBytes: number
  readonly storeBytes: number
  /** What the destination holds anyway, where there is such. */
  readonly staticPages?: StaticLookup | undefined
}

/** A batch that lacks one page is sent once more as a whole: those that may lack some are short. */
const staticPagesMax = 64

/** Where slots come from, and where batches go that are full. */
export interface BatchSink {
  takeSlot(): BatchSlot
  closed(batch: ClosedBatch): void
}

/** The open batches of one lane. */
export class PageWriter {
  /** Whether pages that have no version yet get one. */
  mayKeep = true
  /** The page that {@link page} is about. */
  readonly #staged: StagedPage
  readonly #options: PageWriterOptions
  readonly #sink: BatchSink
  readonly #counts: Uint16Array
  readonly #open: readonly OpenBatch[]
  readonly #references: PageReferences
  readonly #deltas: PageDeltas | undefined
  readonly #scratch: Uint8Array
  /** The region of the open batches. */
  #regionIndex = 0
  #round = 0
  #pagesMax: number

  /** @param counts - of the staged pages, see `page-class.ts` */
  constructor(
    options: PageWriterOptions,
    sink: BatchSink,
    staged: StagedPage,
    counts: Uint16Array,
  ) {
    const { workspace, pageBytes, hasher, settings, sent } = options
    this.#options = options
    this.#sink = sink
    this.#staged = staged
    this.#counts = counts
    const classes = [PageClass.Plain, PageClass.Records, PageClass.Random, PageClass.Static]
    this.#open = classes.map((one) => new OpenBatch(one, pageBytes, hasher))
    const storeBytes = settings.same ? options.storeBytes : 0
    this.#references = new PageReferences(workspace, pageBytes, sent, storeBytes)
    this.#deltas = deltasOf(options)
    this.#pagesMax = compressedBatchPages(pageBytes)
    const scratchBytes = settings.classes ? this.#pagesMax * pageBytes : 0
    this.#scratch = workspace.allocate(scratchBytes)
  }

  /** Memory of versions last sent, and of older ones, so far. */
  get heldBytes(): { cache: number; store: number } {
    const cache = (this.#deltas?.cache.used ?? 0) * this.#options.pageBytes
    return { cache, store: this.#references.store.byteLength }
  }

  get cacheCounts(): CacheCounts | undefined {
    return this.#deltas?.cache.counts
  }

  /** Most pages of a batch; no more than fit. */
  set pagesMax(pages: number) {
    this.#pagesMax = Math.min(pages, compressedBatchPages(this.#options.pageBytes))
  }

  get pagesMax(): number {
    return this.#pagesMax
  }

  /** Pages of another round or region follow. */
  enter(round: number, regionIndex: number): void {
    if (round === this.#round && regionIndex === this.#regionIndex) return
    this.flush()
    this.#regionIndex = regionIndex
    if (round === this.#round) return
    this.#round = round
    this.#references.beginRound(round)
    this.#deltas?.cache.beginRound(round)
  }

  /** Closes all batches that are not empty. */
  flush(): void {
    for (const open of this.#open) if (open.slot !== undefined) this.#close(open)
  }

  zero(page: number): void {
    this.#room(PageClass.Plain, 0).addZero(page)
  }

  /**
   * The staged page, which is not zero and not what the destination has of it.
   *
   * @param dirty - of all regions: what is in there cannot be named before it was sent; undefined:
   *   no page can be named; of no use in post-copy, where none can either
   */
  page(
    work: RegionRound,
    page: number,
    dirty: readonly PageBitmap[] | undefined,
    tally: PageTally,
  ): void {
    const { sent } = work
    const { fingerprints, entry } = this.#staged
    const number = this.numberOf(page)
    tally.pages++
    // What the guest may store to meanwhile cannot be named.
    const named = work.postCopy ? undefined : dirty
    if (this.#options.settings.same && this.#refer(number, page, named, tally)) {
      this.#rememberReferred(number)
    } else if (this.#deltas === undefined) {
      this.#rawPage(page, tally, false)
    } else {
      this.#deltaPage(this.#deltas, work, number, page, named, tally)
    }
    sent.fingerprints.copyEntry(page, fingerprints, entry)
  }

  /** The number of a page in the guest, counted over all regions. */
  numberOf(page: number): number {
    return this.#references.baseOf(this.#regionIndex) + page
  }

  /** The staged page, whose content both ends know by the number `known`. */
  known(work: RegionRound, page: number, known: number, tally: PageTally): void {
    const { fingerprints, entry, length } = this.#staged
    const open = this.#room(PageClass.Static, STATIC_BYTES)
    open.addStatic(page, known, fingerprints, entry)
    tally.pages++
    tally.staticPages++
    tally.staticBytes += length - STATIC_BYTES
    this.#rememberReferred(this.numberOf(page))
    work.sent.fingerprints.copyEntry(page, fingerprints, entry)
  }

  /** The staged page, which is what the destination has of it, and which it waits for. */
  unchanged(page: number, tally: PageTally): void {
    const staged = this.#staged
    const { fingerprints, entry, length } = staged
    tally.pages++
    if (this.#deltas === undefined || !this.#options.settings.delta || length <= DELTA_BYTES) {
      this.#rawPage(page, tally, false)
      return
    }
    const open = this.#room(PageClass.Plain, DELTA_BYTES)
    this.#deltas.add(page, 0, staged, open, checkOf(fingerprints, entry))
    tally.deltaPages++
    tally.deltaBytes += length - DELTA_BYTES
  }

  /** A page with a version keeps the newest. */
  #rememberReferred(number: number): void {
    const place = this.#deltas?.cache.placeOf(number) ?? -1
    if (place >= 0) this.#deltas!.store(place, this.#staged)
  }

  /** @returns whether the destination holds the content already and was told where */
  #refer(
    number: number,
    page: number,
    dirty: readonly PageBitmap[] | undefined,
    tally: PageTally,
  ): boolean {
    const { bytes, at, length, fingerprints, entry } = this.#staged
    if (length <= SAME_AS_BYTES + CHECK_BYTES) return false
    const references = this.#references
    const other =
      dirty === undefined
        ? -1
        : references.findPage(number, fingerprints, entry, bytes, at, length, dirty)
    if (other >= 0) {
      const { region, index } = references.locate(other)
      const open = this.#room(PageClass.Plain, SAME_AS_BYTES + CHECK_BYTES)
      const { id } = this.#options.sent[region]!.region
      const recordBytes = open.addSameAs(page, id, index, fingerprints, entry)
      tally.samePages++
      tally.sameBytes += length - recordBytes
      return true
    }
    const slot = references.findStored(fingerprints, entry, bytes, at, length)
    if (slot < 0) return false
    const open = this.#room(PageClass.Plain, REFERENCE_BYTES)
    const { view } = open.slot!
    view.setUint32(open.payloadEnd + REFERENCE.slot, slot, true)
    view.setUint32(open.payloadEnd + REFERENCE.check, checkOf(fingerprints, entry), true)
    open.add(page, PageEncoding.Reference, REFERENCE_BYTES, fingerprints, entry)
    tally.referencePages++
    tally.referenceBytes += length - REFERENCE_BYTES
    return true
  }

  /** A page that is sent as what changed, where its last version is kept, or whole. */
  #deltaPage(
    deltas: PageDeltas,
    work: RegionRound,
    number: number,
    page: number,
    dirty: readonly PageBitmap[] | undefined,
    tally: PageTally,
  ): void {
    const { pageBytes, settings } = this.#options
    const { sent, known, again } = work
    const { cache } = deltas
    const staged = this.#staged
    const isMarked = known || again?.has(page) === true
    if (isMarked) cache.touch(number)
    const place = known ? cache.find(number, sent.fingerprints, page) : -1
    let isKept = false
    if (place >= 0) {
      isKept = this.#keep(deltas, place, page, sent)
    }
    if (place >= 0 && settings.delta) {
      const deltaBytes = deltas.encode(place, staged, DELTA_BYTES)
      if (deltaBytes >= 0) {
        const open = this.#room(PageClass.Plain, DELTA_BYTES + deltaBytes)
        deltas.add(page, deltaBytes, staged, open, checkOf(sent.fingerprints, page))
        tally.deltaPages++
        tally.deltaBytes += staged.length - DELTA_BYTES - deltaBytes
        deltas.store(place, staged)
        return
      }
      tally.deltaOverflows++
    }
    const mayName = settings.similar && dirty !== undefined
    if (mayName && this.#similarPage(deltas, page, number, dirty, tally)) {
      // Others that are like it find the page that it is like, which may be named already.
      this.#store(deltas, number)
      return
    }
    this.#rawPage(page, tally, isKept)
    if (!isMarked && settings.admit !== 'all') return
    const taken = this.#store(deltas, number)
    if (taken >= 0) deltas.offer(taken, staged, pageBytes)
  }

  /** Keeps the staged page. @returns its place, or -1 */
  #store(deltas: PageDeltas, number: number): number {
    const { cache } = deltas
    const place = this.mayKeep ? cache.take(number) : cache.placeOf(number)
    if (place >= 0) deltas.store(place, this.#staged)
    return place
  }

  #similarPage(
    deltas: PageDeltas,
    page: number,
    number: number,
    dirty: readonly PageBitmap[],
    tally: PageTally,
  ): boolean {
    const staged = this.#staged
    const place = deltas.findSimilar(staged, this.#options.pageBytes)
    const other = place < 0 ? undefined : deltas.cache.pageAt(place)
    if (other === undefined || other === number) return false
    const { region, index } = this.#references.locate(other)
    const sent = this.#options.sent[region]!
    // A short page may have come to a place where a whole one was found.
    if ((index + 1) * this.#options.pageBytes > sent.region.bytes.length) return false
    if (!deltas.cache.holds(place, sent.fingerprints, index)) return false
    if (!this.#references.mayName(region, index, dirty)) return false
    const deltaBytes = deltas.encode(place, staged, SIMILAR_BYTES)
    if (deltaBytes < 0) return false
    const open = this.#room(PageClass.Plain, SIMILAR_BYTES + deltaBytes)
    deltas.addSimilar(page, deltaBytes, staged, open, sent, index)
    tally.deltaPages++
    tally.similarPages++
    tally.deltaBytes += staged.length - SIMILAR_BYTES - deltaBytes
    return true
  }

  /** The version that is about to be overwritten stays, in the store. */
  #keep(deltas: PageDeltas, place: number, page: number, sent: SentPages): boolean {
    if (this.#references.store.slotCount === 0) return false
    const at = deltas.cache.offsetOf(place)
    const version = deltas.cache.bytes.subarray(at, at + this.#staged.length)
    // Room first: what is kept and what takes its place go into the same batch.
    const open = this.#room(PageClass.Plain, this.#staged.length + REFERENCE_BYTES)
    open.keep(page, this.#references.keep(version, sent.fingerprints, page))
    return true
  }

  /** @param withRecords - in the batch of records, whatever the page is like */
  #rawPage(page: number, tally: PageTally, withRecords: boolean): void {
    const { bytes, at, length, fingerprints, entry } = this.#staged
    const pageClass = withRecords ? PageClass.Plain : this.#classOf(entry)
    const open = this.#room(pageClass, length)
    open.slot!.bytes.set(bytes.subarray(at, at + length), open.payloadEnd)
    open.add(page, PageEncoding.Raw, length, fingerprints, entry)
    if (pageClass === PageClass.Records) {
      for (let i = 0; i < COUNTS_PER_PAGE; i++) {
        open.sums[i]! += this.#counts[entry * COUNTS_PER_PAGE + i]!
      }
    }
    // Until the batch is ready: compression makes compressed pages of them.
    tally.rawPages++
  }

  #classOf(index: number): PageClass {
    if (!this.#options.settings.classes) return PageClass.Plain
    return classOf(this.#counts, index * COUNTS_PER_PAGE, this.#staged.length)
  }

  /** The batch of a class, with room for so many bytes. */
  #room(pageClass: PageClass, payloadBytes: number): OpenBatch {
    const open = this.#open[pageClass]!
    const isLong = pageClass === PageClass.Static && open.contentPages >= staticPagesMax
    if (open.slot !== undefined && (isLong || !open.hasRoom(payloadBytes, this.#pagesMax))) {
      if (!open.isEmpty) this.#close(open)
    }
    if (open.slot === undefined) open.begin(this.#sink.takeSlot())
    return open
  }

  #close(open: OpenBatch): void {
    if (open.class === PageClass.Plain) this.#references.keptAreThere()
    if (this.#options.settings.same || this.#options.settings.similar) {
      this.#references.closed(open, this.#regionIndex)
    }
    const stride = open.class === PageClass.Records ? strideOf(open.sums) : 0
    const batch = open.close(this.#round, this.#options.sent[this.#regionIndex]!.region.id)
    if (stride !== 0) this.#transpose(batch, stride)
    this.#sink.closed(batch)
  }

  /** Puts bytes at the same place of records beside each other. */
  #transpose(batch: ClosedBatch, stride: number): void {
    const { slot, decodedBytes } = batch
    const { kernels } = this.#options.workspace
    const at = slot.bytes.byteOffset + slot.payloadStart
    kernels.transpose(at, decodedBytes, 2 ** stride, this.#scratch.byteOffset)
    slot.bytes.set(this.#scratch.subarray(0, decodedBytes), slot.payloadStart)
    batch.stride = stride
  }
}

function deltasOf(options: PageWriterOptions): PageDeltas | undefined {
  const { workspace, pageBytes, settings, sent, cacheBytes } = options
  if (cacheBytes === 0) return undefined
  const pageCount = sent.reduce((sum, { region }) => {
    return sum + pagesCovering(region.bytes.length, pageBytes)
  }, 0)
  // What is compressed anyway is short already.
  const shareMax = settings.compression === 'none' ? 0.75 : 0.25
  const { similar } = settings
  return new PageDeltas({ workspace, pageBytes, pageCount, cacheBytes, similar, shareMax })
}

/** What a writer takes of a workspace. */
export function pageWriterBytes(
  pageBytes: number,
  settings: EncodeSettings,
  cacheBytes: number,
): number {
  const scratch = settings.classes ? compressedBatchPages(pageBytes) * pageBytes : 0
  const deltas = cacheBytes > 0 ? deltaBytesFor(cacheBytes, pageBytes) : 0
  return scratch + deltas + referenceBytesFor(pageBytes)
}
