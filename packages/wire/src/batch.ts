/**
 * The binary table of a PAGES frame. This file knows where the fields are and which combinations
 * are legal; it does not know what a page holds.
 *
 * @module
 */
import { CodecError, LimitError } from '@godwit/core'
import {
  BATCH,
  BATCH_HEADER_BYTES,
  BatchCompression,
  ENTRY,
  ENTRY_BYTES,
  PageEncoding,
  STRIDE_MAX,
  STRIDE_MIN,
} from './layout.ts'
import { BATCH_ENTRIES_MAX, BATCH_PAYLOAD_BYTES_MAX } from './limits.ts'

/** The header of a batch, read or to be written. */
export interface BatchHeader {
  readonly round: number
  readonly region: number
  readonly entryCount: number
  /** On the wire, after the table. */
  readonly payloadBytes: number
  readonly compression: BatchCompression
  /** Base-2 logarithm of the rows that the payload was transposed with; 0 where it was not. */
  readonly stride: number
  /** What the payload is after decompression. */
  readonly decodedBytes: number
  readonly digest: bigint
}

/** Writes the header at `at`. */
export function writeBatchHeader(view: DataView, at: number, header: BatchHeader): void {
  view.setUint32(at + BATCH.round, header.round, true)
  view.setUint16(at + BATCH.region, header.region, true)
  view.setUint16(at + BATCH.entryCount, header.entryCount, true)
  view.setUint32(at + BATCH.payloadBytes, header.payloadBytes, true)
  view.setUint8(at + BATCH.compression, header.compression)
  view.setUint8(at + BATCH.stride, header.stride)
  view.setUint16(at + BATCH.reserved14, 0, true)
  view.setUint32(at + BATCH.decodedBytes, header.decodedBytes, true)
  view.setUint32(at + BATCH.reserved20, 0, true)
  view.setBigUint64(at + BATCH.digest, header.digest, true)
}

/** Writes entry `index` of a table that starts at `tableStart`. */
export function writeBatchEntry(
  view: DataView,
  tableStart: number,
  index: number,
  firstPage: number,
  pageCount: number,
  encoding: PageEncoding,
  payloadBytes: number,
): void {
  const at = tableStart + index * ENTRY_BYTES
  view.setUint32(at + ENTRY.firstPage, firstPage, true)
  view.setUint16(at + ENTRY.pageCount, pageCount, true)
  view.setUint8(at + ENTRY.encoding, encoding)
  view.setUint8(at + ENTRY.reserved, 0)
  view.setUint32(at + ENTRY.payloadBytes, payloadBytes, true)
}

/**
 * Reads and checks the header of a PAGES body; `view` covers exactly the body.
 *
 * @throws {CodecError} `CODEC_BATCH`, {@link LimitError} `LIMIT_EXCEEDED`
 */
export function readBatchHeader(view: DataView): BatchHeader {
  const bodyBytes = view.byteLength
  if (bodyBytes < BATCH_HEADER_BYTES) {
    throw new CodecError('CODEC_BATCH', `A batch of ${bodyBytes} bytes has no whole header`)
  }
  const entryCount = view.getUint16(BATCH.entryCount, true)
  const payloadBytes = view.getUint32(BATCH.payloadBytes, true)
  limit('batchEntriesMax', entryCount, BATCH_ENTRIES_MAX)
  limit('batchPayloadBytesMax', payloadBytes, BATCH_PAYLOAD_BYTES_MAX)
  if (entryCount === 0) throw new CodecError('CODEC_BATCH', 'A batch has no entries')
  if (bodyBytes !== BATCH_HEADER_BYTES + entryCount * ENTRY_BYTES + payloadBytes) {
    throw new CodecError('CODEC_BATCH', 'The lengths in a batch do not add up to its frame')
  }
  const compression = view.getUint8(BATCH.compression)
  const stride = view.getUint8(BATCH.stride)
  checkCompression(compression, stride)
  const reserved = view.getUint16(BATCH.reserved14, true) | view.getUint32(BATCH.reserved20, true)
  if (reserved !== 0) throw new CodecError('CODEC_BATCH', 'Reserved bytes of a batch are not zero')
  const decodedBytes = view.getUint32(BATCH.decodedBytes, true)
  limit('batchPayloadBytesMax', decodedBytes, BATCH_PAYLOAD_BYTES_MAX)
  if (compression === BatchCompression.None && decodedBytes !== payloadBytes) {
    throw new CodecError('CODEC_BATCH', 'An uncompressed batch states another decoded length')
  }
  return {
    round: view.getUint32(BATCH.round, true),
    region: view.getUint16(BATCH.region, true),
    entryCount,
    payloadBytes,
    compression: compression as BatchCompression,
    stride,
    decodedBytes,
    digest: view.getBigUint64(BATCH.digest, true),
  }
}

function checkCompression(compression: number, stride: number): void {
  if (compression > BatchCompression.Lz4) {
    throw new CodecError('CODEC_ENCODING', `Batch compression ${compression} is not known`)
  }
  if (stride !== 0 && (stride < STRIDE_MIN || stride > STRIDE_MAX)) {
    throw new CodecError('CODEC_BATCH', `A payload cannot be transposed with stride ${stride}`)
  }
}

/** Offset of entry `index` in a PAGES body; its fields are at {@link ENTRY}. */
export function entryOffset(index: number): number {
  return BATCH_HEADER_BYTES + index * ENTRY_BYTES
}

const encodings: ReadonlySet<number> = new Set([
  PageEncoding.Raw,
  PageEncoding.Zero,
  PageEncoding.SameAs,
  PageEncoding.Reference,
  PageEncoding.Delta,
  PageEncoding.Static,
  PageEncoding.Keep,
  PageEncoding.Similar,
])

/** Checks that entry bytes at `at` use only what version 1 defines. */
export function readEntryEncoding(view: DataView, at: number): PageEncoding {
  const encoding = view.getUint8(at + ENTRY.encoding) as PageEncoding
  if (!encodings.has(encoding)) {
    throw new CodecError('CODEC_ENCODING', `Page encoding ${encoding} is not known`)
  }
  if (view.getUint8(at + ENTRY.reserved) !== 0) {
    throw new CodecError('CODEC_BATCH', 'A reserved byte of a batch entry is not zero')
  }
  return encoding
}

function limit(name: string, value: number, maximum: number): void {
  if (value > maximum) {
    throw new LimitError('LIMIT_EXCEEDED', `${name}: ${value} passes the limit of ${maximum}`, {
      limit: name,
      value,
      maximum,
    })
  }
}
