/**
 * The runs of pages that a NAK, a DISCARD or a LACKING names.
 *
 * @module
 */
import type { PageRun } from '@godwit/core'
import { crc32 } from '@godwit/core'
import type { Lacking } from './message-bodies.ts'

/** First page and number of pages, each a u32. */
export const PAGE_RUN_BYTES = 8

/** The `runs` of a NAK, a DISCARD or a LACKING. */
export function encodePageRuns(runs: readonly PageRun[]): Uint8Array {
  const bytes = new Uint8Array(runs.length * PAGE_RUN_BYTES)
  const view = new DataView(bytes.buffer)
  runs.forEach(({ firstPage, pageCount }, index) => {
    view.setUint32(index * PAGE_RUN_BYTES, firstPage, true)
    view.setUint32(index * PAGE_RUN_BYTES + 4, pageCount, true)
  })
  return bytes
}

/** The runs in one that was decoded. Whether the region has these pages is not checked. */
export function decodePageRuns(bytes: Uint8Array): readonly PageRun[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: bytes.length / PAGE_RUN_BYTES }, (_, index) => ({
    firstPage: view.getUint32(index * PAGE_RUN_BYTES, true),
    pageCount: view.getUint32(index * PAGE_RUN_BYTES + 4, true),
  }))
}

/** Pages in all of the runs of one that was decoded, if none is named twice. */
export function pageCountOf(runs: Uint8Array): number {
  return decodePageRuns(runs).reduce((sum, { pageCount }) => sum + pageCount, 0)
}

/**
 * The checksum of RESUMED over one LACKING after another.
 *
 * @param crc - that of the ones before, 0 to begin
 */
export function lackingChecksum({ region, runs }: Lacking, crc = 0): number {
  return crc32(runs, crc32(Uint8Array.of(region & 0xff, region >>> 8), crc))
}
