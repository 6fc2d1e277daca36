/**
 * The source's half of a page's way: dirty pages in, one PAGES frame body out.
 *
 * Pages are copied from live guest memory into a private slot first and hashed and sent from
 * there: what is hashed is what is sent, whatever the guest stores meanwhile.
 *
 * @module
 */
import type { PageBitmap, PageHasher, Region } from '@godwit/core'
import { FingerprintTable } from '@godwit/core'
import {
  BATCH_ENTRIES_MAX,
  BATCH_HEADER_BYTES,
  BatchCompression,
  FRAME_HEADER_BYTES,
  PageEncoding,
  u64FromBytes,
  writeBatchHeader,
} from '@godwit/wire'
import type { BatchSlot } from './batch-slot.ts'
import { batchPages } from './batch-slot.ts'
import { BatchTable } from './batch-table.ts'
import { PageInspector } from './page-inspector.ts'
import type { CopyBytes } from '@godwit/kernels'
import type { Workspace } from './workspace.ts'

/**
 * Pages looked at for one batch: bounds the time one batch takes when most pages are zero or
 * unchanged. A page makes one entry at most, so the table cannot overflow.
 */
const scannedPagesMax = BATCH_ENTRIES_MAX

/** What the destination is known to hold of one region. */
export interface SentPages {
  readonly region: Region
  readonly fingerprints: FingerprintTable
}

/** What a round sends of one region. */
export interface RegionRound {
  readonly round: number
  readonly sent: SentPages
  readonly dirty: PageBitmap
  /** Dirty pages known to be zero without a look at them. */
  readonly untouched?: PageBitmap | undefined
  /** Dirty pages that are dirty again since the round began, as far as is known. */
  readonly again?: PageBitmap | undefined
  /** Whether those are left out when their turn comes: a later round has them in its set. */
  readonly leavesAgain?: boolean
  /** Whether `sent.fingerprints` holds every page: from round 2 on. */
  readonly known: boolean
  /** The guest runs at the destination and waits for these pages: each must be sent. */
  readonly postCopy: boolean
  /** Whether pages may be sent that the destination may lack and ask for once more. */
  readonly mayLack?: boolean
}

/** One encoded batch: `slot.bytes[frameStart, frameEnd)`, the frame header still to be written. */
export interface EncodedBatch {
  frameStart: number
  frameEnd: number
  pages: number
  rawPages: number
  zeroPages: number
  unchangedPages: number
  /** Left out, since they were dirty again. */
  heldPages: number
  /** Bytes of the zero pages, and of the unchanged ones: what was saved. */
  zeroBytes: number
  unchangedBytes: number
  /** Sum of page bytes sent raw. */
  payloadBytes: number
  digest: bigint
  /** Where the next batch goes on; the end that was asked for when all are done. */
  nextPage: number
}

/** An {@link EncodedBatch} for an encoder to fill in. */
export function emptyBatch(): EncodedBatch {
  return {
    frameStart: 0,
    frameEnd: 0,
    pages: 0,
    rawPages: 0,
    zeroPages: 0,
    unchangedPages: 0,
    heldPages: 0,
    zeroBytes: 0,
    unchangedBytes: 0,
    payloadBytes: 0,
    digest: 0n,
    nextPage: 0,
  }
}

export interface BatchEncoderOptions {
  readonly pageBytes: number
  /** That of the slots. */
  readonly workspace: Workspace
  readonly hasher: PageHasher
  /** Send every page with its bytes: no zero pages, no suppression (`--encode raw`). */
  readonly raw: boolean
}

/** Encodes batches of one lane; owns scratch memory, holds no page between calls. */
export class BatchEncoder {
  readonly #pageBytes: number
  readonly #batchPages: number
  readonly #hasher: PageHasher
  readonly #raw: boolean
  readonly #copy: CopyBytes
  readonly #inspector: PageInspector
  /** Fingerprints of the batch's payload pages, in table order. */
  readonly #fingerprints: FingerprintTable
  readonly #zeroFingerprints = new Map<number, FingerprintTable>()
  readonly #table = new BatchTable()
  #payloadPages = 0

  constructor(options: BatchEncoderOptions) {
    this.#pageBytes = options.pageBytes
    this.#hasher = options.hasher
    this.#raw = options.raw
    this.#copy = options.workspace.copy
    this.#batchPages = batchPages(options.pageBytes)
    this.#inspector = new PageInspector({ ...options, pagesMax: this.#batchPages })
    this.#fingerprints = new FingerprintTable(this.#batchPages, options.hasher.entryBytes)
  }

  /**
   * Encodes dirty pages of `[fromPage, endPage)` until the slot is full or all are done.
   *
   * @param out - filled in; reused by the caller
   * @param pagesMax - most pages with payload, if fewer than fit in the slot
   * @returns whether the batch has anything to send
   */
  encode(
    work: RegionRound,
    fromPage: number,
    endPage: number,
    slot: BatchSlot,
    out: EncodedBatch,
    pagesMax: number = this.#batchPages,
  ): boolean {
    const payloadPagesMax = Math.min(pagesMax, this.#batchPages)
    const { dirty } = work
    const zeros = this.#raw ? undefined : work.untouched
    const again = work.leavesAgain === true ? work.again : undefined
    this.#begin(out)
    let page = dirty.nextSet(fromPage, endPage)
    let scanned = 0
    while (page < endPage && scanned < scannedPagesMax) {
      if (this.#payloadPages === payloadPagesMax) break
      const room = Math.min(payloadPagesMax - this.#payloadPages, scannedPagesMax - scanned)
      let end = dirty.nextClear(page, Math.min(page + room, endPage))
      // Before what is dirty again: such pages count as zero at the destination.
      if (zeros?.has(page) === true) {
        end = zeros.nextClear(page, end)
        if (work.known && !work.postCopy)
          for (let zero = page; zero < end; zero++) this.#zeroPage(work, zero, out)
        else this.#zeroPages(work.sent, page, end, out)
      } else {
        if (zeros !== undefined) end = zeros.nextSet(page, end)
        if (again?.has(page) === true) {
          end = again.nextClear(page, end)
          out.heldPages += end - page
          scanned += end - page
          page = dirty.nextSet(end, endPage)
          continue
        }
        if (again !== undefined) end = again.nextSet(page, end)
        this.#encodeRun(work, page, end, slot, out)
      }
      scanned += end - page
      page = dirty.nextSet(end, endPage)
    }
    out.nextPage = page
    return this.#finish(work.round, work.sent.region.id, slot, out)
  }

  #begin(out: EncodedBatch): void {
    this.#table.clear()
    this.#payloadPages = 0
    out.pages = 0
    out.rawPages = 0
    out.zeroPages = 0
    out.unchangedPages = 0
    out.heldPages = 0
    out.zeroBytes = 0
    out.unchangedBytes = 0
    out.payloadBytes = 0
    out.digest = 0n
  }

  /** Copies consecutive dirty pages, no more than the slot has room for, and looks at the copy. */
  #encodeRun(
    work: RegionRound,
    first: number,
    end: number,
    slot: BatchSlot,
    out: EncodedBatch,
  ): void {
    const pageBytes = this.#pageBytes
    const memory = work.sent.region.bytes
    const start = first * pageBytes
    const stop = Math.min(end * pageBytes, memory.length)
    const staged = slot.payloadStart + out.payloadBytes
    const stagedEnd = staged + stop - start
    this.#copy(slot.bytes, staged, memory, start, stop)
    this.#inspector.inspect(slot.bytes, staged, stagedEnd)
    if (!work.known || work.postCopy) {
      this.#newPages(work.sent, first, end, staged, stagedEnd, slot, out)
      return
    }
    const { zeros } = this.#inspector
    for (let page = first, at = staged; page < end; page++, at += pageBytes) {
      const index = page - first
      if (zeros[index] === 1) this.#zeroPage(work, page, out)
      else this.#dataPage(work, page, index, at, Math.min(pageBytes, stagedEnd - at), slot, out)
    }
  }

  /** Pages staged at `slot.bytes[staged, stagedEnd)`, of which the destination holds nothing. */
  #newPages(
    sent: SentPages,
    first: number,
    end: number,
    staged: number,
    stagedEnd: number,
    slot: BatchSlot,
    out: EncodedBatch,
  ): void {
    const pageBytes = this.#pageBytes
    const { zeros } = this.#inspector
    for (let page = first; page < end; ) {
      const index = page - first
      const isZero = zeros[index]
      let runEnd = page + 1
      while (runEnd < end && zeros[runEnd - first] === isZero) runEnd++
      const at = staged + index * pageBytes
      const byteCount = Math.min(staged + (runEnd - first) * pageBytes, stagedEnd) - at
      if (isZero === 1) this.#zeroPages(sent, page, runEnd, out)
      else {
        this.#closeGap(slot, at, byteCount, out)
        this.#dataPages(sent, page, runEnd - page, index, byteCount, out)
      }
      page = runEnd
    }
  }

  /** What zero and unchanged pages left in front of `slot.bytes[at, at + byteCount)`. */
  #closeGap(slot: BatchSlot, at: number, byteCount: number, out: EncodedBatch): void {
    const to = slot.payloadStart + out.payloadBytes
    if (to !== at) slot.bytes.copyWithin(to, at, at + byteCount)
  }

  #zeroPage({ sent, known }: RegionRound, page: number, out: EncodedBatch): void {
    const pageBytes = this.#pageBytes
    const length = Math.min(pageBytes, sent.region.bytes.length - page * pageBytes)
    const zero = this.#zeroFingerprint(length)
    out.pages++
    if (known && sent.fingerprints.equals(page, zero, 0)) {
      out.unchangedPages++
      out.unchangedBytes += length
      return
    }
    sent.fingerprints.copyEntry(page, zero, 0)
    out.zeroPages++
    out.zeroBytes += length
    this.#table.add(page, PageEncoding.Zero, 0)
  }

  /** Zero pages `[first, end)` that the destination does not hold. */
  #zeroPages(
    { region, fingerprints }: SentPages,
    first: number,
    end: number,
    out: EncodedBatch,
  ): void {
    const pageBytes = this.#pageBytes
    const byteCount = Math.min(end * pageBytes, region.bytes.length) - first * pageBytes
    const whole = Math.floor(byteCount / pageBytes)
    const count = end - first
    if (whole > 0) fingerprints.fill(first, this.#zeroFingerprint(pageBytes), 0, whole)
    if (whole < count) {
      fingerprints.copyEntry(end - 1, this.#zeroFingerprint(byteCount - whole * pageBytes), 0)
    }
    out.pages += count
    out.zeroPages += count
    out.zeroBytes += byteCount
    this.#table.add(first, PageEncoding.Zero, 0, count)
  }

  /** Pages that stand where they are to be, the `index`th and on of those that were inspected. */
  #dataPages(
    sent: SentPages,
    first: number,
    count: number,
    index: number,
    byteCount: number,
    out: EncodedBatch,
  ): void {
    const inspected = this.#inspector.fingerprints
    sent.fingerprints.copyEntry(first, inspected, index, count)
    this.#fingerprints.copyEntry(this.#payloadPages, inspected, index, count)
    this.#payloadPages += count
    out.pages += count
    out.rawPages += count
    out.payloadBytes += byteCount
    this.#table.add(first, PageEncoding.Raw, byteCount, count)
  }

  /** A page staged at `slot.bytes[at, at + length)`, the `index`th that was inspected. */
  #dataPage(
    { sent, known }: RegionRound,
    page: number,
    index: number,
    at: number,
    length: number,
    slot: BatchSlot,
    out: EncodedBatch,
  ): void {
    const inspected = this.#inspector.fingerprints
    out.pages++
    if (known && !this.#raw && sent.fingerprints.equals(page, inspected, index)) {
      out.unchangedPages++
      out.unchangedBytes += length
      return
    }
    sent.fingerprints.copyEntry(page, inspected, index)
    this.#fingerprints.copyEntry(this.#payloadPages++, inspected, index)
    this.#closeGap(slot, at, length, out)
    out.payloadBytes += length
    out.rawPages++
    this.#table.add(page, PageEncoding.Raw, length)
  }

  #finish(round: number, region: number, slot: BatchSlot, out: EncodedBatch): boolean {
    const entryCount = this.#table.count
    if (entryCount === 0) return false
    const tableStart = this.#table.write(slot)
    if (this.#payloadPages > 0) {
      const bytes = this.#fingerprints.bytes
      const used = bytes.subarray(0, this.#payloadPages * this.#fingerprints.entryBytes)
      out.digest = u64FromBytes(this.#hasher.digest(used))
    }
    const headerStart = tableStart - BATCH_HEADER_BYTES
    writeBatchHeader(slot.view, headerStart, {
      round,
      region,
      entryCount,
      payloadBytes: out.payloadBytes,
      compression: BatchCompression.None,
      stride: 0,
      decodedBytes: out.payloadBytes,
      digest: out.digest,
    })
    out.frameStart = headerStart - FRAME_HEADER_BYTES
    out.frameEnd = slot.payloadStart + out.payloadBytes
    return true
  }

  /** Fingerprint of `length` zero bytes; a session meets one or two lengths. */
  #zeroFingerprint(length: number): FingerprintTable {
    let table = this.#zeroFingerprints.get(length)
    if (table === undefined) {
      table = new FingerprintTable(1, this.#hasher.entryBytes)
      this.#hasher.hashPages(new Uint8Array(length), 0, length, length, table, 0)
      this.#zeroFingerprints.set(length, table)
    }
    return table
  }
}
