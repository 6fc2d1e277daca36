/**
 * The runs of a batch with records: where each is, and what they add up to.
 *
 * @module
 */
import type { Region } from '@godwit/core'
import { CodecError, pagesCovering } from '@godwit/core'
import type { BatchHeader, Nak } from '@godwit/wire'
import {
  BATCH_ENTRIES_MAX,
  BatchCompression,
  ENTRY,
  PageEncoding,
  encodePageRuns,
  entryOffset,
  readEntryEncoding,
} from '@godwit/wire'
import type { DecodedTotals, Payload } from './batch-decoder.ts'

/** Whether a run is anything but pages and zero pages. */
export function isRecord(encoding: number): boolean {
  return encoding !== PageEncoding.Raw && encoding !== PageEncoding.Zero
}

/** One run of pages, and where its payload is. */
export interface Run {
  readonly encoding: PageEncoding
  readonly firstPage: number
  readonly pageCount: number
  readonly at: number
  readonly end: number
}

/** Reads and checks where runs are. @throws {CodecError} */
export function readRuns(
  view: DataView,
  entryCount: number,
  payload: Payload,
  region: Region,
  pageBytes: number,
): readonly Run[] {
  const regionPages = pagesCovering(region.bytes.length, pageBytes)
  const runs: Run[] = []
  let at = payload.start
  for (let i = 0; i < entryCount; i++) {
    const entry = entryOffset(i)
    const encoding = readEntryEncoding(view, entry)
    const firstPage = view.getUint32(entry + ENTRY.firstPage, true)
    const pageCount = view.getUint16(entry + ENTRY.pageCount, true)
    if (pageCount === 0 || firstPage + pageCount > regionPages) {
      const text = `Pages ${firstPage}..${firstPage + pageCount - 1} are not in ${region.name}`
      throw new CodecError('CODEC_PAGE_RANGE', text)
    }
    const end = at + view.getUint32(entry + ENTRY.payloadBytes, true)
    if (end > payload.end) throw refused('states more payload than there is')
    runs.push({ encoding, firstPage, pageCount, at, end })
    at = end
  }
  if (at !== payload.end) throw refused('has bytes left over')
  return runs
}

/** Adds what the runs have, as the source counts it. */
export function countRuns(runs: readonly Run[], header: BatchHeader, totals: DecodedTotals): void {
  const isCompressed = header.compression !== BatchCompression.None
  for (const { encoding, pageCount } of runs) {
    if (encoding === PageEncoding.Keep) continue
    totals.pages += pageCount
    if (encoding === PageEncoding.Zero) totals.zeroPages += pageCount
    else if (encoding === PageEncoding.SameAs) totals.samePages += pageCount
    else if (encoding === PageEncoding.Reference) totals.referencePages += pageCount
    else if (encoding === PageEncoding.Static) totals.staticPages += pageCount
    else if (encoding !== PageEncoding.Raw) totals.deltaPages += pageCount
    else if (isCompressed) totals.compressedPages += pageCount
    else totals.rawPages += pageCount
  }
}

/**
 * Refuses batches that would make this side copy more than they could ever need to say.
 *
 * @throws {CodecError}
 */
export function checkRuns(runs: readonly Run[], regionPages: number): void {
  let kept = 0
  let others = 0
  for (const { encoding, pageCount } of runs) {
    if (encoding === PageEncoding.Keep) kept += pageCount
    else others += pageCount
  }
  if (kept > BATCH_ENTRIES_MAX) throw refused(`keeps ${kept} pages`)
  if (others > regionPages) throw refused('names the same pages again and again')
}

/** All pages of the batch are wanted again. */
export function nakOf(runs: readonly Run[], { round, region }: BatchHeader): Nak {
  const wanted = runs.filter(({ encoding }) => encoding !== PageEncoding.Keep)
  return { round, region, runs: encodePageRuns(wanted) }
}

/** A batch that breaks the format. */
export function refused(what: string): CodecError {
  return new CodecError('CODEC_BATCH', `A batch ${what}`)
}
