/**
 * Which pages a source says that the destination lacks, and which ones then leave, by the frames on
 * its channels.
 *
 * @module
 */
import { BATCH_HEADER_BYTES, ENTRY_BYTES, FRAME_HEADER_BYTES, PageEncoding } from '@godwit/wire'
import { decodeMessage, decodePageRuns, FrameType, readBatchHeader } from '@godwit/wire'
import type { OnUnit } from './tap.ts'

/** Pages, as `region/page`, and how often each was named. */
type Counts = Map<string, number>

function count(counts: Counts, region: number, first: number, pages: number): void {
  for (let page = first; page < first + pages; page++) {
    const key = `${region}/${page}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
}

/** Pages that one PAGES frame gives content to. */
function countContent(counts: Counts, body: Uint8Array): void {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const { region, entryCount } = readBatchHeader(view)
  for (let at = BATCH_HEADER_BYTES; at < BATCH_HEADER_BYTES + entryCount * ENTRY_BYTES; ) {
    const [first, pages] = [view.getUint32(at, true), view.getUint16(at + 4, true)]
    if (view.getUint8(at + 6) !== PageEncoding.Keep) count(counts, region, first, pages)
    at += ENTRY_BYTES
  }
}

/** Watches all channels of one source. */
export class PageWatch {
  /** Named in DISCARD. */
  readonly discarded: Counts = new Map()
  /** Given content before COMMIT, round by round. */
  readonly rounds: Counts[] = []
  /** Given content after COMMIT. */
  readonly sent: Counts = new Map()
  /** Asked for. */
  readonly requested: Counts = new Map()
  #isCommitted = false

  readonly onControl: OnUnit = ({ direction, name }, bytes) => {
    if (direction === 'written' && name === 'Commit') this.#isCommitted = true
    if (direction === 'written' && name === 'RoundBegin') this.rounds.push(new Map())
    if (direction === 'read' || name !== 'Discard') return undefined
    const message = decodeMessage(FrameType.Discard, bytes.subarray(FRAME_HEADER_BYTES))
    if (message.name !== 'Discard') throw new Error('not a DISCARD')
    const { region, runs } = message.body
    for (const run of decodePageRuns(runs)) {
      count(this.discarded, region, run.firstPage, run.pageCount)
    }
    return undefined
  }

  readonly onData: OnUnit = ({ name }, bytes) => {
    const body = bytes.subarray(FRAME_HEADER_BYTES)
    if (name === 'Pages') countContent(this.#isCommitted ? this.sent : this.rounds.at(-1)!, body)
    if (name !== 'PageRequest') return undefined
    const message = decodeMessage(FrameType.PageRequest, body)
    if (message.name !== 'PageRequest') throw new Error('not a PAGE_REQUEST')
    count(this.requested, message.body.region, message.body.page, 1)
    return undefined
  }
}
