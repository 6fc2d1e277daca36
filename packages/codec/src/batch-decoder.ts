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

/** What the destination keeps of one region. */
export interface InstalledPages {
  readonly region: Region
  /** Fingerprints of every page as installed, by the verification hash; absent with `none`. */
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
    const { pageBytes, verifyHasher } = this.#options
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
    if (encoding === PageEncoding.Zero) {
      memory.fill(0, start, end)
      totals.zeroPages += pageCount
    } else {
      memory.set(body.subarray(payloadAt, payloadAt + payloadBytes), start)
      this.#fingerprint(memory, start, end, pageCount)
      totals.rawPages += pageCount
    }
    totals.pages += pageCount
    if (verifyHasher !== undefined && target.fingerprints !== undefined) {
      verifyHasher.hashPages(memory, start, end, pageBytes, target.fingerprints, firstPage)
    }
    return payloadAt + payloadBytes
  }

  #fingerprint(memory: Uint8Array, start: number, end: number, pageCount: number): void {
    if (this.#payloadPages + pageCount > this.#fingerprints.entryCount) {
      throw new CodecError('CODEC_BATCH', 'A batch names the same pages again and again')
    }
    this.#options.hasher.hashPages(
      memory,
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
