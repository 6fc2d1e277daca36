/**
 * The destination's half of a page's way: a PAGES frame body in, pages of guest memory out.
 * Everything in the body comes from the peer: each number is checked before it is used.
 *
 * @module
 */
import type { PageHasher, Region } from '@godwit/core'
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
import { hashPagesTwice } from './hash-twice.ts'
import type { CopyBytes } from './primitives.ts'

/** What the destination keeps of one region, whose memory is zero at first. */
export interface InstalledPages {
  readonly region: Region
  /**
   * Per page 1 when it may hold something: all others are zero, and zero needs no work. A byte
   * each, since lanes on several threads store to it, each for its own pages.
   */
  readonly written: Uint8Array
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
  readonly copy: CopyBytes
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
  /** Of the batch's payload pages: by the session's hash, and by the verification hash. */
  readonly #fingerprints: FingerprintTable
  readonly #verifyFingerprints: FingerprintTable | undefined
  #payloadPages = 0

  constructor(options: BatchDecoderOptions) {
    const { hasher, verifyHasher, pageBytes, regions } = options
    this.#options = options
    this.#regions = new Map(regions.map((one) => [one.region.id, one]))
    // A short last page per run could make more pages than full ones; runs are bounded by regions.
    const pagesMax = BATCH_PAYLOAD_BYTES_MAX / pageBytes + regions.length
    this.#fingerprints = new FingerprintTable(pagesMax, hasher.entryBytes)
    this.#verifyFingerprints =
      verifyHasher && new FingerprintTable(pagesMax, verifyHasher.entryBytes)
  }

  /**
   * Installs one batch of `round`; `body` is borrowed for the call. Nothing is written before all
   * of it was found right.
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
    this.#checkEntries(view, header.entryCount, body, target)
    this.#checkDigest(header.digest)
    this.#installEntries(view, header.entryCount, body, target, totals)
    totals.batches++
    totals.digest = BigInt.asUintN(64, totals.digest + header.digest)
  }

  /** Checks every entry against the region and the payload, and fingerprints the payload. */
  #checkEntries(
    view: DataView,
    entryCount: number,
    body: Uint8Array,
    target: InstalledPages,
  ): void {
    const { pageBytes } = this.#options
    const memoryBytes = target.region.bytes.length
    const regionPages = pagesCovering(memoryBytes, pageBytes)
    this.#payloadPages = 0
    let at = BATCH_HEADER_BYTES + entryCount * ENTRY_BYTES
    let hashed = at
    for (let i = 0; i < entryCount; i++) {
      const entry = entryOffset(i)
      const firstPage = view.getUint32(entry + ENTRY.firstPage, true)
      const pageCount = view.getUint16(entry + ENTRY.pageCount, true)
      const payloadBytes = view.getUint32(entry + ENTRY.payloadBytes, true)
      const encoding = readEntryEncoding(view, entry)
      const endPage = firstPage + pageCount
      if (pageCount === 0 || endPage > regionPages) {
        const text = `Pages ${firstPage}..${endPage - 1} are not in region ${target.region.name}`
        throw new CodecError('CODEC_PAGE_RANGE', text)
      }
      const isRaw = encoding === PageEncoding.Raw
      const bytes = Math.min(endPage * pageBytes, memoryBytes) - firstPage * pageBytes
      if (payloadBytes !== (isRaw ? bytes : 0) || at + payloadBytes > body.length) {
        const text = 'A batch entry states a payload that its pages cannot have'
        throw new CodecError('CODEC_BATCH', text)
      }
      at += payloadBytes
      // Behind a short page the borders of pages are elsewhere.
      if (payloadBytes % pageBytes !== 0) {
        this.#fingerprint(body, hashed, at)
        hashed = at
      }
    }
    if (at !== body.length) throw new CodecError('CODEC_BATCH', 'A batch has bytes left over')
    this.#fingerprint(body, hashed, at)
  }

  /** Fingerprints payload that begins with a page and has no short one but its last. */
  #fingerprint(body: Uint8Array, start: number, end: number): void {
    const { hasher, verifyHasher, pageBytes } = this.#options
    const [into, verifyInto] = [this.#fingerprints, this.#verifyFingerprints]
    const entry = this.#payloadPages
    this.#payloadPages += pagesCovering(end - start, pageBytes)
    if (this.#payloadPages > into.entryCount) {
      throw new CodecError('CODEC_BATCH', 'A batch names the same pages again and again')
    }
    if (verifyHasher === undefined) {
      hasher.hashPages(body, start, end, pageBytes, into, entry)
    } else {
      const other = { hasher: verifyHasher, into: verifyInto! }
      hashPagesTwice(body, start, end, pageBytes, entry, { hasher, into }, other)
    }
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

  /** Writes pages that were checked. */
  #installEntries(
    view: DataView,
    entryCount: number,
    body: Uint8Array,
    target: InstalledPages,
    totals: DecodedTotals,
  ): void {
    const { pageBytes } = this.#options
    let at = BATCH_HEADER_BYTES + entryCount * ENTRY_BYTES
    let payloadPage = 0
    for (let i = 0; i < entryCount; i++) {
      const entry = entryOffset(i)
      const firstPage = view.getUint32(entry + ENTRY.firstPage, true)
      const pageCount = view.getUint16(entry + ENTRY.pageCount, true)
      totals.pages += pageCount
      if (readEntryEncoding(view, entry) === PageEncoding.Zero) {
        totals.zeroPages += pageCount
        this.#clear(target, firstPage, firstPage + pageCount)
        continue
      }
      totals.rawPages += pageCount
      const payloadBytes = view.getUint32(entry + ENTRY.payloadBytes, true)
      const payloadEnd = at + payloadBytes
      this.#options.copy(target.region.bytes, firstPage * pageBytes, body, at, payloadEnd)
      at = payloadEnd
      this.#remember(target, firstPage, pageCount, payloadPage)
      payloadPage += pageCount
    }
  }

  /** Notes that pages were written, and what is in them. */
  #remember(target: InstalledPages, firstPage: number, count: number, payloadPage: number): void {
    const { written, fingerprints } = target
    for (let i = 0; i < count; i++) {
      written[firstPage + i] = 1
      fingerprints?.copyEntry(firstPage + i, this.#verifyFingerprints!, payloadPage + i)
    }
  }

  /** Zero pages: work only where something was written before. */
  #clear(target: InstalledPages, firstPage: number, endPage: number): void {
    const { pageBytes, verifyHasher } = this.#options
    const { written, region, fingerprints } = target
    for (let page = firstPage; page < endPage; page++) {
      if (written[page] === 0) continue
      const start = page * pageBytes
      const end = Math.min(start + pageBytes, region.bytes.length)
      region.bytes.fill(0, start, end)
      written[page] = 0
      if (fingerprints === undefined) continue
      verifyHasher!.hashPages(region.bytes, start, end, pageBytes, fingerprints, page)
    }
  }
}
