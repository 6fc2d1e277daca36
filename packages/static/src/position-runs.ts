/**
 * Ascending page ids as runs. Of each run, in LEB128: twice the number of pages that are skipped
 * before it, and one more where the run has several pages; then, where it has, their number less 2.
 * A page by itself that fewer than 64 others precede takes one byte, fewer than 8192 two.
 *
 * @module
 */
import type { OctetReader, OctetWriter } from './octets.ts'

/** One more than the last page id there may be: 4 TiB of 4 KiB. */
export const PAGE_IDS_MAX: number = 2 ** 30

export function writeRuns(writer: OctetWriter, positions: Uint32Array): void {
  let next = 0
  for (let i = 0; i < positions.length; ) {
    const first = positions[i]!
    const start = i++
    while (i < positions.length && positions[i] === first + (i - start)) i++
    const pageCount = i - start
    writer.leb128((first - next) * 2 + (pageCount > 1 ? 1 : 0))
    if (pageCount > 1) writer.leb128(pageCount - 2)
    next = first + pageCount
  }
}

/**
 * Fills `positions`. Only what {@link writeRuns} writes is taken.
 *
 * @throws {GodwitError} `FILE_UNREADABLE`
 */
export function readRuns(reader: OctetReader, positions: Uint32Array): void {
  let next = 0
  for (let i = 0; i < positions.length; ) {
    const head = reader.leb128()
    const skipped = Math.floor(head / 2)
    const pageCount = head % 2 === 1 ? reader.leb128() + 2 : 1
    if (skipped === 0 && i > 0) throw reader.damaged('has a run that is two')
    const first = next + skipped
    next = first + pageCount
    if (pageCount > positions.length - i || next > PAGE_IDS_MAX) {
      throw reader.damaged('has a run of pages that are not there')
    }
    for (let page = first; page < next; page++) positions[i++] = page
  }
}
