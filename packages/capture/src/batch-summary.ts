/**
 * What a batch of pages says about itself: without decoding it.
 *
 * @module
 */
import { toHex } from '@godwit/core'
import {
  BatchCompression,
  ENTRY,
  PageEncoding,
  entryOffset,
  readBatchHeader,
  readEntryEncoding,
} from '@godwit/wire'
import { runText } from './short-value.ts'

export type EncodingName =
  | 'raw'
  | 'zero'
  | 'same-as'
  | 'reference'
  | 'delta'
  | 'static'
  | 'keep'
  | 'similar'

const encodingNames: Readonly<Record<number, EncodingName>> = {
  [PageEncoding.Raw]: 'raw',
  [PageEncoding.Zero]: 'zero',
  [PageEncoding.SameAs]: 'same-as',
  [PageEncoding.Reference]: 'reference',
  [PageEncoding.Delta]: 'delta',
  [PageEncoding.Static]: 'static',
  [PageEncoding.Keep]: 'keep',
  [PageEncoding.Similar]: 'similar',
}

const compressionNames: Readonly<Record<BatchCompression, string>> = {
  [BatchCompression.None]: 'none',
  [BatchCompression.Zstd]: 'zstd',
  [BatchCompression.Lz4]: 'lz4',
}

/** Pages with one encoding, one behind the other. */
export interface RunSummary {
  readonly firstPage: number
  readonly pageCount: number
  readonly encoding: EncodingName
  readonly payloadBytes: number
}

export interface BatchSummary {
  readonly round: number
  readonly region: number
  readonly runs: readonly RunSummary[]
  readonly compression: string
  readonly stride: number
  readonly payloadBytes: number
  readonly decodedBytes: number
  readonly digest: string
  /** As they were sent, in hexadecimal; where it was asked for. */
  readonly payload?: string
}

/**
 * @param body - of a PAGES frame
 * @throws {CodecError} {@link LimitError} the header or the table is not right
 */
export function summariseBatch(body: Uint8Array, withContents: boolean): BatchSummary {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const { digest, compression, ...header } = readBatchHeader(view)
  const { round, region, stride, payloadBytes, decodedBytes } = header
  const runs = Array.from({ length: header.entryCount }, (_, index): RunSummary => {
    const at = entryOffset(index)
    return {
      firstPage: view.getUint32(at + ENTRY.firstPage, true),
      pageCount: view.getUint16(at + ENTRY.pageCount, true),
      encoding: encodingNames[readEntryEncoding(view, at)]!,
      payloadBytes: view.getUint32(at + ENTRY.payloadBytes, true),
    }
  })
  return {
    round,
    region,
    runs,
    compression: compressionNames[compression],
    stride,
    payloadBytes,
    decodedBytes,
    digest: digest.toString(16).padStart(16, '0'),
    ...(withContents ? { payload: toHex(body.subarray(body.length - payloadBytes)) } : {}),
  }
}

const runsMax = 12

/** For one line of text. */
export function batchText(batch: BatchSummary): string {
  const { round, region, runs, compression, stride, payloadBytes, decodedBytes } = batch
  const texts = runs.slice(0, runsMax).map((run) => `${runText(run)} ${run.encoding}`)
  if (runs.length > runsMax) texts.push(`and ${runs.length - runsMax} runs more`)
  const how = compression === 'none' ? '' : ` of ${decodedBytes} (${compression})`
  const rows = stride === 0 ? '' : `, stride ${stride}`
  return `round ${round}, region ${region}: ${texts.join(', ')}; ${payloadBytes} bytes${how}${rows}`
}
