/**
 * The pages that a batch gives content to, and whether that content is in it.
 *
 * @module
 */
import type { PageRun } from '@godwit/core'
import { ENTRY, PageEncoding, entryOffset, readBatchHeader, readEntryEncoding } from '@godwit/wire'

/** Those of one region. */
export interface ContentRuns {
  readonly region: number
  readonly runs: readonly PageRun[]
  /** Some of it is named by numbers of contents that both ends knew before. */
  readonly isNamed: boolean
}

/**
 * @param body - of a PAGES frame
 * @throws {CodecError} {@link LimitError} the header or the table is not right
 */
export function contentRuns(body: Uint8Array): ContentRuns {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const { region, entryCount } = readBatchHeader(view)
  const runs: PageRun[] = []
  let isNamed = false
  for (let i = 0; i < entryCount; i++) {
    const at = entryOffset(i)
    const encoding = readEntryEncoding(view, at)
    if (encoding === PageEncoding.Keep) continue
    if (encoding === PageEncoding.Static) isNamed = true
    const firstPage = view.getUint32(at + ENTRY.firstPage, true)
    runs.push({ firstPage, pageCount: view.getUint16(at + ENTRY.pageCount, true) })
  }
  return { region, runs, isNamed }
}
