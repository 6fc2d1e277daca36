/**
 * The destination's half of a page's way: a PAGES frame body in, pages of guest memory out.
 * Everything in the body comes from the peer: each number is checked before it is used.
 *
 * @module
 */
import type { PageHasher } from '@godwit/core'
import { CodecError, FingerprintTable, ProtocolError, pagesCovering } from '@godwit/core'
import type { BatchHeader, Nak } from '@godwit/wire'
import {
  BATCH_PAYLOAD_BYTES_MAX,
  BatchCompression,
  ENTRY,
  PageEncoding,
  entryOffset,
  readBatchHeader,
  readEntryEncoding,
  u64FromBytes,
} from '@godwit/wire'
import type { BatchFeatures } from './batch-features.ts'
import { checkFeature, checkHeaderFeatures } from './batch-features.ts'
import { isRecord } from './batch-run.ts'
import type { Compressors } from './compressor.ts'
import { hashPagesTwice } from './hash-twice.ts'
import type { InstalledPages } from './installed-pages.ts'
import {
  claimPages,
  clearPages,
  releasePages,
  rememberPages,
  sameTarget,
} from './installed-pages.ts'
import { PayloadDecoder } from './payload-decoder.ts'
import { RecordDecoder } from './record-decoder.ts'
import type { StaticContents } from './static-pages.ts'
import type { Workspace } from './workspace.ts'

export interface BatchDecoderOptions {
  readonly pageBytes: number
  readonly regions: readonly InstalledPages[]
  /** With room for {@link batchDecoderBytes}; that of the hashers. */
  readonly workspace: Workspace
  /** The session's hash, for batch digests. */
  readonly hasher: PageHasher
  /** The verification hash; absent with `--verify none`. */
  readonly verifyHasher: PageHasher | undefined
  /** What was negotiated. */
  readonly features: BatchFeatures
  /** Of older versions that the source may have kept here. */
  readonly storeBytes: number
  readonly compressors: Compressors
  /** That of another decoder on this thread, to have its buffers; absent: one of its own. */
  readonly payloads?: PayloadDecoder | undefined
  /** What pages may be taken out of; undefined where nothing was agreed, or nothing is held. */
  readonly staticPages?: StaticContents | undefined
}

/** What a decoder takes of a workspace; touched as far as batches need it. */
export const batchDecoderBytes = (pageBytes: number, regionCount: number): number =>
  3 * BATCH_PAYLOAD_BYTES_MAX + (regionCount + 1) * pageBytes

/** Totals of one round on one channel, to be compared with the source's. */
export interface DecodedTotals {
  batches: number
  pages: number
  rawPages: number
  zeroPages: number
  samePages: number
  referencePages: number
  deltaPages: number
  staticPages: number
  /** Otherwise raw, in compressed batches. */
  compressedPages: number
  digest: bigint
}

export function emptyTotals(): DecodedTotals {
  return {
    batches: 0,
    pages: 0,
    rawPages: 0,
    zeroPages: 0,
    samePages: 0,
    referencePages: 0,
    deltaPages: 0,
    staticPages: 0,
    compressedPages: 0,
    digest: 0n,
  }
}

/** What several lanes installed. */
export function sumOfTotals(all: readonly DecodedTotals[]): DecodedTotals {
  const sum = emptyTotals()
  for (const { digest, ...counts } of all) {
    sum.digest = BigInt.asUintN(64, sum.digest + digest)
    for (const [name, count] of Object.entries(counts)) sum[name as keyof typeof counts] += count
  }
  return sum
}

/** The payload of a batch as its entries say: `bytes[start, end)`. */
export interface Payload {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/** Installs batches of one lane into guest memory. */
export class BatchDecoder {
  readonly #options: BatchDecoderOptions
  readonly #regions: ReadonlyMap<number, InstalledPages>
  /** Of the batch's payload pages: by the session's hash, and by the verification hash. */
  readonly #fingerprints: FingerprintTable
  readonly #verifyFingerprints: FingerprintTable | undefined
  readonly #payloads: PayloadDecoder
  readonly #records: RecordDecoder
  #payloadPages = 0
  #postCopy = false

  constructor(options: BatchDecoderOptions) {
    const { hasher, verifyHasher, pageBytes, regions, workspace, compressors } = options
    const { features, storeBytes, staticPages, payloads } = options
    // One order of properties: code that was optimised in the warm-up is not for others.
    this.#options = {
      pageBytes,
      features,
      storeBytes,
      hasher,
      verifyHasher,
      regions,
      workspace,
      compressors,
      payloads,
      staticPages,
    }
    this.#regions = new Map(regions.map((one) => [one.region.id, sameTarget(one)]))
    // A short last page per run could make more pages than full ones; runs are bounded by regions.
    const pagesMax = BATCH_PAYLOAD_BYTES_MAX / pageBytes + regions.length
    this.#fingerprints = new FingerprintTable(pagesMax, hasher.entryBytes)
    this.#verifyFingerprints =
      verifyHasher && new FingerprintTable(pagesMax, verifyHasher.entryBytes)
    this.#payloads = payloads ?? new PayloadDecoder(workspace, compressors)
    this.#records = new RecordDecoder(options, this.#regions, pagesMax)
  }

  /** Nothing more is decoded: files are closed. */
  close(): void {
    this.#records.close()
  }

  /** Whether batches of a source that means well may name what is not here. */
  get mayOftenLack(): boolean {
    return this.#options.staticPages !== undefined
  }

  /** Pages of a region that was announced, by id. */
  pageCountOf(region: number): number {
    return this.#regions.get(region)!.written.length
  }

  /**
   * Installs one batch of `round`; `body` is borrowed for the call. Nothing is written before all
   * of it was found right.
   *
   * @param postCopy - the guest runs already: these are pages that it lacks
   * @returns what to ask for again, when the batch names content that is not here; then nothing of
   *   it was installed
   * @throws {CodecError} {@link ProtocolError} {@link LimitError}
   */
  decode(
    body: Uint8Array,
    round: number,
    totals: DecodedTotals,
    postCopy = false,
  ): Nak | undefined {
    this.#postCopy = postCopy
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
    checkHeaderFeatures(header, this.#options.features)
    const payload = this.#payloads.decode(header, body)
    const nak = this.#hasRecords(view, header.entryCount)
      ? this.#records.decode(view, header, payload, target, totals, postCopy)
      : this.#decodePages(view, header, payload, target, totals)
    totals.batches++
    totals.digest = BigInt.asUintN(64, totals.digest + header.digest)
    return nak
  }

  /** Whether there is anything but pages and zero pages. */
  #hasRecords(view: DataView, entryCount: number): boolean {
    let found = false
    for (let i = 0; i < entryCount; i++) {
      const encoding = view.getUint8(entryOffset(i) + ENTRY.encoding)
      checkFeature(encoding, this.#options.features, this.#options.staticPages !== undefined)
      if (isRecord(encoding)) found = true
    }
    return found
  }

  #decodePages(
    view: DataView,
    header: BatchHeader,
    payload: Payload,
    target: InstalledPages,
    totals: DecodedTotals,
  ): undefined {
    this.#checkEntries(view, header.entryCount, payload, target)
    this.#checkDigest(header.digest)
    if (this.#postCopy) this.#claimEntries(view, header.entryCount, target)
    const rawBefore = totals.rawPages
    this.#installEntries(view, header.entryCount, payload, target, totals)
    if (header.compression === BatchCompression.None) return
    totals.compressedPages += totals.rawPages - rawBefore
    totals.rawPages = rawBefore
  }

  /** Checks every entry against the region and the payload, and fingerprints the payload. */
  #checkEntries(
    view: DataView,
    entryCount: number,
    payload: Payload,
    target: InstalledPages,
  ): void {
    const { pageBytes } = this.#options
    const memoryBytes = target.region.bytes.length
    const regionPages = pagesCovering(memoryBytes, pageBytes)
    this.#payloadPages = 0
    const { bytes: body, start, end } = payload
    let at = start
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
      if (payloadBytes !== (isRaw ? bytes : 0) || at + payloadBytes > end) {
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
    if (at !== end) throw new CodecError('CODEC_BATCH', 'A batch has bytes left over')
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

  #claimEntries(view: DataView, entryCount: number, target: InstalledPages): void {
    for (let i = 0; i < entryCount; i++) {
      const entry = entryOffset(i)
      const firstPage = view.getUint32(entry + ENTRY.firstPage, true)
      claimPages(target, firstPage, firstPage + view.getUint16(entry + ENTRY.pageCount, true))
    }
  }

  /** Writes pages that were checked. */
  #installEntries(
    view: DataView,
    entryCount: number,
    payload: Payload,
    target: InstalledPages,
    totals: DecodedTotals,
  ): void {
    const { pageBytes, workspace } = this.#options
    const placer = this.#postCopy ? target.placer : undefined
    let at = payload.start
    let payloadPage = 0
    for (let i = 0; i < entryCount; i++) {
      const entry = entryOffset(i)
      const firstPage = view.getUint32(entry + ENTRY.firstPage, true)
      const pageCount = view.getUint16(entry + ENTRY.pageCount, true)
      totals.pages += pageCount
      if (readEntryEncoding(view, entry) === PageEncoding.Zero) {
        totals.zeroPages += pageCount
        clearPages(target, firstPage, firstPage + pageCount, this.#options, placer)
        if (this.#postCopy) releasePages(target, firstPage, firstPage + pageCount)
        continue
      }
      totals.rawPages += pageCount
      const payloadBytes = view.getUint32(entry + ENTRY.payloadBytes, true)
      const payloadEnd = at + payloadBytes
      if (placer !== undefined) placer.put(firstPage, payload.bytes, at, payloadEnd)
      else workspace.copy(target.region.bytes, firstPage * pageBytes, payload.bytes, at, payloadEnd)
      at = payloadEnd
      rememberPages(target, firstPage, pageCount, this.#verifyFingerprints, payloadPage)
      if (this.#postCopy) releasePages(target, firstPage, firstPage + pageCount)
      payloadPage += pageCount
    }
  }
}
