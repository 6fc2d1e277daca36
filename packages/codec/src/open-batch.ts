/**
 * A batch that is being filled, page by page, and what it becomes when it is full.
 *
 * @module
 */
import type { PageHasher } from '@godwit/core'
import { FingerprintTable } from '@godwit/core'
import {
  BATCH_ENTRIES_MAX,
  BATCH_HEADER_BYTES,
  BATCH_PAYLOAD_BYTES_MAX,
  BatchCompression,
  CHECK_BYTES,
  ENTRY_BYTES,
  FRAME_HEADER_BYTES,
  KEEP_BYTES,
  PageEncoding,
  SAME_AS,
  SAME_AS_BYTES,
  STATIC_BYTES,
  u64FromBytes,
  writeBatchHeader,
} from '@godwit/wire'
import type { BatchSlot } from './batch-slot.ts'
import { BatchTable } from './batch-table.ts'
import { COUNTS_PER_PAGE, PageClass } from './page-class.ts'

/** A batch that gets no more pages: its table and payload are written, its header is not. */
export interface ClosedBatch {
  readonly slot: BatchSlot
  readonly class: PageClass
  readonly round: number
  readonly region: number
  readonly entryCount: number
  /** Of the payload, from `slot.payloadStart` on. */
  readonly decodedBytes: number
  readonly digest: bigint
  readonly rawPages: number
  /** Base-2 logarithm of the rows that the payload is transposed with; 0 while it is not. */
  stride: number
  /** Whether the payload is to be compressed, and whether that is over. */
  state: 'open' | 'compressing' | 'ready'
  compression: BatchCompression
  /** On the wire. */
  payloadBytes: number
}

/** The pages of one batch that are of one class. Has a slot while it holds anything. */
export class OpenBatch {
  readonly class: PageClass
  readonly #pageBytes: number
  readonly #hasher: PageHasher
  readonly #table = new BatchTable()
  readonly #contentPagesMax: number
  /** Of pages that get content, in table order. */
  readonly #fingerprints: FingerprintTable
  /** Pages whose content goes to a slot of the store before anything is installed. */
  readonly #keptPages: number[] = []
  readonly #keptIn: number[] = []
  /** How many bytes repeat at each distance, over all pages. */
  readonly sums: Float64Array = new Float64Array(COUNTS_PER_PAGE)
  slot: BatchSlot | undefined
  #payloadBytes = 0
  #contentPages = 0
  #rawPages = 0
  #nextSamePage = -1
  #sameRegion = -1
  /** Behind the entry of the last static page. */
  #nextStatic = 0

  constructor(batchClass: PageClass, pageBytes: number, hasher: PageHasher) {
    this.class = batchClass
    this.#pageBytes = pageBytes
    this.#hasher = hasher
    this.#contentPagesMax = BATCH_PAYLOAD_BYTES_MAX / pageBytes
    this.#fingerprints = new FingerprintTable(this.#contentPagesMax, hasher.entryBytes)
  }

  get isEmpty(): boolean {
    return this.#table.count === 0 && this.#keptPages.length === 0
  }

  /** Pages that get content. */
  get contentPages(): number {
    return this.#contentPages
  }

  /** Where the next bytes of payload go, in the slot. */
  get payloadEnd(): number {
    return this.slot!.payloadStart + this.#payloadBytes
  }

  /** Begins with an empty slot. */
  begin(slot: BatchSlot): void {
    this.slot = slot
  }

  /** Whether one more page may be added, with so many bytes of payload. */
  hasRoom(payloadBytes: number, pagesMax: number): boolean {
    const bytes = this.#payloadBytes + this.#keptPages.length * KEEP_BYTES + payloadBytes
    return (
      bytes + KEEP_BYTES <= pagesMax * this.#pageBytes &&
      this.#contentPages < this.#contentPagesMax &&
      this.#table.count + this.#keptPages.length + 2 < BATCH_ENTRIES_MAX
    )
  }

  addZero(page: number): void {
    this.#table.add(page, PageEncoding.Zero, 0)
  }

  /** A page that stands at {@link payloadEnd}, or a record in its place. */
  add(
    page: number,
    encoding: PageEncoding,
    payloadBytes: number,
    fingerprints: FingerprintTable,
    entry: number,
  ): void {
    this.#table.add(page, encoding, payloadBytes)
    this.#payloadBytes += payloadBytes
    this.#fingerprints.copyEntry(this.#contentPages++, fingerprints, entry)
    if (encoding === PageEncoding.Raw) this.#rawPages++
  }

  /** The same as page `otherPage` of `region`, as long as {@link hasRoom} for its 12 bytes. */
  addSameAs(
    page: number,
    region: number,
    otherPage: number,
    fingerprints: FingerprintTable,
    entry: number,
  ): number {
    const { view } = this.slot!
    const follows = this.#sameRegion === region && this.#nextSamePage === otherPage
    const joins = follows && this.#table.continues(page, PageEncoding.SameAs)
    let at = this.payloadEnd
    let payloadBytes = CHECK_BYTES
    if (!joins) {
      view.setUint16(at + SAME_AS.region, region, true)
      view.setUint16(at + SAME_AS.reserved, 0, true)
      view.setUint32(at + SAME_AS.firstPage, otherPage, true)
      at += SAME_AS_BYTES
      payloadBytes += SAME_AS_BYTES
    }
    view.setUint32(at, checkOf(fingerprints, entry), true)
    if (joins) this.#table.add(page, PageEncoding.SameAs, payloadBytes)
    else this.#table.addApart(page, PageEncoding.SameAs, payloadBytes)
    this.#sameRegion = region
    this.#nextSamePage = otherPage + 1
    this.#payloadBytes += payloadBytes
    this.#fingerprints.copyEntry(this.#contentPages++, fingerprints, entry)
    return payloadBytes
  }

  /** Content that both ends know by the number `known`. */
  addStatic(page: number, known: number, fingerprints: FingerprintTable, entry: number): void {
    const from = this.#table.continues(page, PageEncoding.Static) ? this.#nextStatic : 0
    this.slot!.view.setUint32(this.payloadEnd, known - from, true)
    this.#nextStatic = known + 1
    this.add(page, PageEncoding.Static, STATIC_BYTES, fingerprints, entry)
  }

  /** What the page held before goes to a slot of the store. */
  keep(page: number, storeSlot: number): void {
    this.#keptPages.push(page)
    this.#keptIn.push(storeSlot)
  }

  /** Calls with every page that gets content, and its entry in `fingerprints`. */
  forEachContent(
    visit: (page: number, fingerprints: FingerprintTable, entry: number) => void,
  ): void {
    let entry = 0
    this.#table.forEach((firstPage, pageCount, encoding) => {
      if (encoding === PageEncoding.Zero) return
      for (let i = 0; i < pageCount; i++) visit(firstPage + i, this.#fingerprints, entry++)
    })
  }

  /** Ends the batch; it is empty afterwards. */
  close(round: number, region: number): ClosedBatch {
    this.#writeKept()
    const slot = this.slot!
    this.#table.write(slot)
    const decodedBytes = this.#payloadBytes
    const closed: ClosedBatch = {
      slot,
      class: this.class,
      round,
      region,
      entryCount: this.#table.count,
      decodedBytes,
      digest: this.#digest(),
      rawPages: this.#rawPages,
      stride: 0,
      state: 'open',
      compression: BatchCompression.None,
      payloadBytes: decodedBytes,
    }
    this.slot = undefined
    this.#table.clear()
    this.#payloadBytes = 0
    this.#contentPages = 0
    this.#rawPages = 0
    this.#nextSamePage = -1
    this.sums.fill(0)
    return closed
  }

  #writeKept(): void {
    for (let i = 0; i < this.#keptPages.length; i++) {
      this.slot!.view.setUint32(this.payloadEnd, this.#keptIn[i]!, true)
      this.#table.add(this.#keptPages[i]!, PageEncoding.Keep, KEEP_BYTES)
      this.#payloadBytes += KEEP_BYTES
    }
    this.#keptPages.length = 0
    this.#keptIn.length = 0
  }

  #digest(): bigint {
    if (this.#contentPages === 0) return 0n
    const { bytes, entryBytes } = this.#fingerprints
    return u64FromBytes(this.#hasher.digest(bytes.subarray(0, this.#contentPages * entryBytes)))
  }
}

/** The first four bytes of a fingerprint, which is how others' content is named. */
export function checkOf(fingerprints: FingerprintTable, entry: number): number {
  return fingerprints.words32[(entry * fingerprints.entryBytes) >>> 2]!
}

/** Writes the batch header in front of a closed batch's table. @returns where the frame is */
export function sealBatch(batch: ClosedBatch): { frameStart: number; frameEnd: number } {
  const { slot, round, region, entryCount, decodedBytes, digest } = batch
  const { stride, compression, payloadBytes } = batch
  const headerStart = slot.payloadStart - entryCount * ENTRY_BYTES - BATCH_HEADER_BYTES
  writeBatchHeader(slot.view, headerStart, {
    round,
    region,
    entryCount,
    payloadBytes,
    compression,
    stride,
    decodedBytes,
    digest,
  })
  return {
    frameStart: headerStart - FRAME_HEADER_BYTES,
    frameEnd: slot.payloadStart + payloadBytes,
  }
}
