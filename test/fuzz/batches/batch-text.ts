/**
 * Batches taken apart and put together, whether they are right or not.
 *
 * @module
 */
import { BATCH, BATCH_HEADER_BYTES, ENTRY, ENTRY_BYTES } from '@godwit/wire'
import type { Field } from '../mutator.ts'
import { joined } from '../mutator.ts'

/** An entry, and its part of the payload. */
export interface RunText {
  readonly firstPage: number
  readonly pageCount: number
  readonly encoding: number
  readonly reserved: number
  readonly payload: Uint8Array
}

export interface BatchText {
  /** The header's bytes; counts and lengths in it are not looked at. */
  readonly header: Uint8Array
  readonly runs: readonly RunText[]
  /** Behind the payload of the last run. */
  readonly rest: Uint8Array
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength)

/** How many entries a body has room for, up to those it states. */
function entriesIn(body: Uint8Array): number {
  if (body.length < BATCH_HEADER_BYTES) return 0
  const room = Math.floor((body.length - BATCH_HEADER_BYTES) / ENTRY_BYTES)
  return Math.min(room, viewOf(body).getUint16(BATCH.entryCount, true))
}

/** A body whose payload is not compressed; undefined for less than a header. */
export function parseBatch(body: Uint8Array): BatchText | undefined {
  if (body.length < BATCH_HEADER_BYTES) return undefined
  const view = viewOf(body)
  const count = entriesIn(body)
  const runs: RunText[] = []
  let at = BATCH_HEADER_BYTES + count * ENTRY_BYTES
  for (let i = 0; i < count; i++) {
    const entry = BATCH_HEADER_BYTES + i * ENTRY_BYTES
    const payload = body.subarray(at, at + view.getUint32(entry + ENTRY.payloadBytes, true))
    at += payload.length
    runs.push({
      firstPage: view.getUint32(entry + ENTRY.firstPage, true),
      pageCount: view.getUint16(entry + ENTRY.pageCount, true),
      encoding: view.getUint8(entry + ENTRY.encoding),
      reserved: view.getUint8(entry + ENTRY.reserved),
      payload,
    })
  }
  return { header: body.subarray(0, BATCH_HEADER_BYTES), runs, rest: body.subarray(at) }
}

/** The body, with counts and lengths that are right. */
export function formatBatch({ header, runs, rest }: BatchText): Uint8Array {
  const table = new Uint8Array(runs.length * ENTRY_BYTES)
  const entries = viewOf(table)
  for (const [index, run] of runs.entries()) {
    const at = index * ENTRY_BYTES
    entries.setUint32(at + ENTRY.firstPage, run.firstPage, true)
    entries.setUint16(at + ENTRY.pageCount, run.pageCount, true)
    entries.setUint8(at + ENTRY.encoding, run.encoding)
    entries.setUint8(at + ENTRY.reserved, run.reserved)
    entries.setUint32(at + ENTRY.payloadBytes, run.payload.length, true)
  }
  const body = joined(header, table, ...runs.map(({ payload }) => payload), rest)
  const view = viewOf(body)
  const payloadBytes = body.length - BATCH_HEADER_BYTES - table.length
  view.setUint16(BATCH.entryCount, runs.length, true)
  view.setUint32(BATCH.payloadBytes, payloadBytes, true)
  view.setUint32(BATCH.decodedBytes, payloadBytes, true)
  return body
}

/** Where the payload of a body begins. */
export function payloadStart(body: Uint8Array): number {
  return BATCH_HEADER_BYTES + entriesIn(body) * ENTRY_BYTES
}

/** Numbers of header and table, and those that payloads of records begin with. */
export function batchFields(body: Uint8Array, offset: number): readonly Field[] {
  const fields: Field[] = []
  const add = (at: number, byteCount: 1 | 2 | 4): void => {
    fields.push({ at: offset + at, byteCount })
  }
  for (const at of [BATCH.round, BATCH.payloadBytes, BATCH.decodedBytes]) add(at, 4)
  for (const at of [BATCH.region, BATCH.entryCount]) add(at, 2)
  for (const at of [BATCH.compression, BATCH.stride]) add(at, 1)
  let payload = payloadStart(body)
  for (const [index, run] of (parseBatch(body)?.runs ?? []).slice(0, 64).entries()) {
    const at = BATCH_HEADER_BYTES + index * ENTRY_BYTES
    add(at + ENTRY.firstPage, 4)
    add(at + ENTRY.pageCount, 2)
    add(at + ENTRY.encoding, 1)
    add(at + ENTRY.payloadBytes, 4)
    if (run.encoding > 2) for (const word of [0, 4, 8]) add(payload + word, 4)
    if (run.encoding > 4 && run.encoding !== 7)
      for (const word of [0, 2, 4, 6, 12, 13]) add(payload + word, 2)
    payload += run.payload.length
  }
  return fields
}
