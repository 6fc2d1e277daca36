/**
 * Page batches, made by hand: legal ones, and ones with any field wrong.
 *
 * @module
 */
import {
  BATCH,
  BATCH_HEADER_BYTES,
  BatchCompression,
  ENTRY,
  ENTRY_BYTES,
  PageEncoding,
  u64FromBytes,
} from '@godwit/wire'
import type { Hashes } from './hashes.ts'
import { joined } from './hashes.ts'

/** A run of pages with its payload. */
export interface Run {
  readonly firstPage: number
  readonly pageCount: number
  readonly encoding: number
  readonly payload: Uint8Array
  /** What its pages hold once they are decoded; none for zero and keep. */
  readonly pages: readonly Uint8Array[]
  /** Stated, whatever `payload` has. */
  readonly payloadBytes?: number
  readonly reserved?: number
}

/** A batch to be sent. What is not given is right. */
export interface BatchParts {
  readonly round: number
  readonly region: number
  readonly runs: readonly Run[]
  readonly stride?: number
  readonly compression?: number
  /** From the payload, in its stride, to what is sent. */
  readonly compress?: (payload: Uint8Array) => Uint8Array
  readonly digest?: bigint
  readonly entryCount?: number
  readonly payloadBytes?: number
  readonly decodedBytes?: number
  readonly reserved?: number
}

/** What a batch adds to the totals of its channel and round. */
export interface Batch {
  readonly body: Uint8Array
  readonly pages: number
  readonly digest: bigint
}

export function raw(firstPage: number, ...pages: readonly Uint8Array[]): Run {
  const encoding = PageEncoding.Raw
  return { firstPage, pageCount: pages.length, encoding, payload: joined(pages), pages }
}

export function zero(firstPage: number, pageCount: number): Run {
  const encoding = PageEncoding.Zero
  return { firstPage, pageCount, encoding, payload: new Uint8Array(0), pages: [] }
}

/** The first 8 bytes of the digest of these pages' fingerprints; 0 for none. */
export function digestOf(hashes: Hashes, pages: readonly Uint8Array[]): bigint {
  if (pages.length === 0) return 0n
  return u64FromBytes(hashes.digest(pages.map((page) => hashes.fingerprint(page))))
}

/** The body of a PAGES frame. */
export function encodeBatch(hashes: Hashes, parts: BatchParts): Batch {
  const { runs, stride = 0, compression = BatchCompression.None } = parts
  const payload = joined(runs.map((run) => run.payload))
  const inRows = stride >= 3 && stride <= 6 ? transpose(payload, 1 << stride) : payload
  const sent = parts.compress?.(inRows) ?? inRows
  const digest =
    parts.digest ??
    digestOf(
      hashes,
      runs.flatMap((run) => run.pages),
    )
  const body = new Uint8Array(BATCH_HEADER_BYTES + runs.length * ENTRY_BYTES + sent.length)
  const view = new DataView(body.buffer)
  view.setUint32(BATCH.round, parts.round, true)
  view.setUint16(BATCH.region, parts.region, true)
  view.setUint16(BATCH.entryCount, parts.entryCount ?? runs.length, true)
  view.setUint32(BATCH.payloadBytes, parts.payloadBytes ?? sent.length, true)
  body[BATCH.compression] = compression
  body[BATCH.stride] = stride
  view.setUint16(BATCH.reserved14, parts.reserved ?? 0, true)
  view.setUint32(BATCH.decodedBytes, parts.decodedBytes ?? payload.length, true)
  view.setBigUint64(BATCH.digest, digest, true)
  runs.forEach((run, index) => {
    const at = BATCH_HEADER_BYTES + index * ENTRY_BYTES
    view.setUint32(at + ENTRY.firstPage, run.firstPage, true)
    view.setUint16(at + ENTRY.pageCount, run.pageCount, true)
    body[at + ENTRY.encoding] = run.encoding
    body[at + ENTRY.reserved] = run.reserved ?? 0
    view.setUint32(at + ENTRY.payloadBytes, run.payloadBytes ?? run.payload.length, true)
  })
  body.set(sent, BATCH_HEADER_BYTES + runs.length * ENTRY_BYTES)
  const kept = runs.filter((run) => run.encoding !== PageEncoding.Keep)
  return { body, pages: kept.reduce((sum, run) => sum + run.pageCount, 0), digest }
}

/** Equal columns of rows together; section 5, *Stride*. */
export function transpose(payload: Uint8Array, rowBytes: number): Uint8Array {
  const rows = Math.floor(payload.length / rowBytes)
  const moved = payload.slice()
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < rowBytes; column++) {
      moved[column * rows + row] = payload[row * rowBytes + column]!
    }
  }
  return moved
}

/** The inverse of {@link transpose}. */
export function untranspose(moved: Uint8Array, rowBytes: number): Uint8Array {
  const rows = Math.floor(moved.length / rowBytes)
  const payload = moved.slice()
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < rowBytes; column++) {
      payload[row * rowBytes + column] = moved[column * rows + row]!
    }
  }
  return payload
}
