/**
 * What is in a frame that was sent, for tests.
 *
 * @module
 */
import type { BatchHeader } from '@godwit/wire'
import { ENTRY, entryOffset, readBatchHeader } from '@godwit/wire'
import type { PageClass } from '../src/page-class.ts'

/** A run of pages of one encoding. */
export interface SentEntry {
  readonly firstPage: number
  readonly pageCount: number
  readonly encoding: number
  readonly payloadBytes: number
}

export interface SentFrame {
  readonly body: Uint8Array
  readonly class: PageClass
  readonly header: BatchHeader
  readonly entries: readonly SentEntry[]
}

/** Reads a frame's table. */
export function readFrame(body: Uint8Array, pageClass: PageClass): SentFrame {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const header = readBatchHeader(view)
  const entries = Array.from({ length: header.entryCount }, (_, index) => {
    const at = entryOffset(index)
    return {
      firstPage: view.getUint32(at + ENTRY.firstPage, true),
      pageCount: view.getUint16(at + ENTRY.pageCount, true),
      encoding: view.getUint8(at + ENTRY.encoding),
      payloadBytes: view.getUint32(at + ENTRY.payloadBytes, true),
    }
  })
  return { body, class: pageClass, header, entries }
}

/** Bytes of all runs of one encoding, before compression. */
export function payloadBytesOf(frames: readonly SentFrame[], encoding: number): number {
  const runs = frames.flatMap(({ entries }) => entries)
  const wanted = runs.filter((run) => run.encoding === encoding)
  return wanted.reduce((sum, { payloadBytes }) => sum + payloadBytes, 0)
}

/** How many pages came in each encoding. */
export function pagesByEncoding(frames: readonly SentFrame[]): Readonly<Record<number, number>> {
  const pages: Record<number, number> = {}
  for (const { encoding, pageCount } of frames.flatMap(({ entries }) => entries)) {
    pages[encoding] = (pages[encoding] ?? 0) + pageCount
  }
  return pages
}
