/**
 * The destination's half of a page's way: a PAGES frame body in, pages of guest memory out.
 * Everything in the body comes from the peer: each number is checked before it is used.
 *
 * @module
 */
import type { PageBitmap, PageHasher, Region } from '@godwit/core'
import { CodecError, FingerprintTable, ProtocolError, pagesCovering } from '@godwit/core'
import {
  BATCH_HEADER_BYTES,
  BATCH_PAYLOAD_BYTES_MAX,
  ENTRY,
  ENTRY_BYTES,
  PageEncoding,
  entryOffset,
  readBatchHeader,
  readEntryEncoding,
  u64FromBytes,
} from '@godwit/wire'

/** What the destination keeps of one region, whose memory is zero at first. */
export interface InstalledPages {
  readonly region: Region
  /** Pages that may hold something: all others are zero, and zero needs no work. */
  readonly written: PageBitmap
  /**
   * Fingerprints of every page as installed, by the verification hash; absent with `none`. At first
   * those of zero pages.
   */
  readonly fingerprints: FingerprintTable | undefined
}

export interface BatchDecoderOptions {
  readonly pageBytes: number
  readonly regions: readonly InstalledPages[]
  /** The session's hash, for batch digests. */
  readonly hasher: PageHasher
  /** The verification hash; absent with `--verify none`. */
  readonly verifyHasher: PageHasher | undefined
}

/** Totals of one round on one channel, to be compared with the source's. */
export interface DecodedTotals {
  batches: number
  pages: number
  rawPages: number
  zeroPages: number
  digest: bigint
}

export function emptyTotals(): DecodedTotals {
  return { batches: 0, pages: 0, rawPages: 0, zeroPages: 0, digest: 0n }
}

/** Installs batches of one lane into guest memory. */
export class BatchDecoder {
  readonly #options: BatchDecoderOptions
  readonly #regions: ReadonlyMap<number, InstalledPages>
  readonly #fingerprints: FingerprintTable
  #payloadPages = 0

  constructor(options: BatchDecoderOptions) {
    this.#options = options
    this.#regions = new Map(options.regions.map((one) => [one.region.id, one]))
    const pagesMax = BATCH_PAYLOAD_BYTES_MAX / options.pageBytes
    // A short last page per run could make more pages than full ones; runs are bounded by regions.
    this.#fingerprints = new FingerprintTable(
      pagesMax + options.regions.length,
      options.hasher.entryBytes,
    )
  }

  /**
   * Installs one batch of `round`; `body` is borrowed for the call. Nothing outside the named pages
   * is written; after an error the guest memory is of no use and must be discarded.
   *
   * @throws {CodecError} {@link ProtocolError} {@link LimitError}
   */
  decode(body: Uint8Array, round: number, totals: DecodedTotals): void {
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
    const header = readBatchHeader(view)
    if (header.round !== round) {
      throw new ProtocolError(
        'PROTOCOL_STATE',
        `A batch of round ${header.round} in round ${round}`,
      )
    }
    const target = this.#regions.get(header.region)
    if (target === undefined) {
      throw new CodecError('CODEC_PAGE_RANGE', `Region ${header.region} was not announced`)
    }
    this.#payloadPages = 0
    let at = BATCH_HEADER_BYTES + header.entryCount * ENTRY_BYTES
    for (let i = 0; i < header.entryCount; i++) {
      at = this.#installEntry(view, entryOffset(i), body, at, target, totals)
    }
    if (at !== body.length) throw new CodecError('CODEC_BATCH', 'A batch has bytes left over')
    this.#checkDigest(header.digest)
    totals.batches++
    totals.digest = BigInt.asUintN(64, totals.digest + header.digest)
  }

  /** @returns where the next entry's payload starts */
  #installEntry(
    view: DataView,
    entry: number,
    body: Uint8Array,
    payloadAt: number,
    target: InstalledPages,
    totals: DecodedTotals,
  ): number {
    const firstPage = view.getUint32(entry + ENTRY.firstPage, true)
    const pageCount = view.getUint16(entry + ENTRY.pageCount, true)
    const payloadBytes = view.getUint32(entry + ENTRY.payloadBytes, true)
    const encoding = readEntryEncoding(view, entry)
    const { pageBytes } = this.#options
    const memory = target.region.bytes
    if (pageCount === 0 || firstPage + pageCount > pagesCovering(memory.length, pageBytes)) {
      throw new CodecError(
        'CODEC_PAGE_RANGE',
        `Pages ${firstPage}..${firstPage + pageCount - 1} are not in region ${target.region.name}`,
      )
    }
    const start = firstPage * pageBytes
    const end = Math.min(start + pageCount * pageBytes, memory.length)
    const expected = encoding === PageEncoding.Zero ? 0 : end - start
    if (payloadBytes !== expected || payloadAt + payloadBytes > body.length) {
      throw new CodecError(
        'CODEC_BATCH',
        'A batch entry states a payload that its pages cannot have',
      )
    }
    totals.pages += pageCount
    if (encoding === PageEncoding.Zero) {
      totals.zeroPages += pageCount
      this.#clear(target, firstPage, firstPage + pageCount)
      return payloadAt
    }
    totals.rawPages += pageCount
    const payloadEnd = payloadAt + payloadBytes
    this.#fingerprint(body, payloadAt, payloadEnd, pageCount)
    memory.set(body.subarray(payloadAt, payloadEnd), start)
    for (let page = firstPage; page < firstPage + pageCount; page++) target.written.add(page)
    this.#verifyLater(target, firstPage, start, end)
    return payloadAt + payloadBytes
  }

  /** Zero pages: work only where something was written before. */
  #clear(target: InstalledPages, firstPage: number, endPage: number): void {
    const { pageBytes } = this.#options
    const { written, region } = target
    let page = written.nextSet(firstPage)
    for (; page < endPage; page = written.nextSet(page + 1)) {
      const start = page * pageBytes
      const end = Math.min(start + pageBytes, region.bytes.length)
      region.bytes.fill(0, start, end)
      written.delete(page)
      this.#verifyLater(target, page, start, end)
    }
  }

  /** Remembers pages as installed, for the verification after the hand-over. */
  #verifyLater(target: InstalledPages, firstPage: number, start: number, end: number): void {
    const { pageBytes, verifyHasher } = this.#options
    if (verifyHasher === undefined || target.fingerprints === undefined) return
    const { bytes } = target.region
    verifyHasher.hashPages(bytes, start, end, pageBytes, target.fingerprints, firstPage)
  }

  #fingerprint(body: Uint8Array, start: number, end: number, pageCount: number): void {
    if (this.#payloadPages + pageCount > this.#fingerprints.entryCount) {
      throw new CodecError('CODEC_BATCH', 'A batch names the same pages again and again')
    }
    this.#options.hasher.hashPages(
      body,
      start,
      end,
      this.#options.pageBytes,
      this.#fingerprints,
      this.#payloadPages,
    )
    this.#payloadPages += pageCount
  }

  #checkDigest(expected: bigint): void {
    const used = this.#payloadPages * this.#fingerprints.entryBytes
    const digest =
      used === 0
        ? 0n
        : u64FromBytes(this.#options.hasher.digest(this.#fingerprints.bytes.subarray(0, used)))
    if (digest !== expected) {
      throw new CodecError('CODEC_DIGEST', 'The pages of a batch are not those that were sent')
    }
  }
}
