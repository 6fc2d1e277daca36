/**
 * Pages of one channel that were asked for once more and are not here yet.
 *
 * @module
 */
import { LimitError, ProtocolError } from '@godwit/core'
import type { Nak } from '@godwit/wire'
import {
  BatchCompression,
  ENTRY,
  PageEncoding,
  decodePageRuns,
  entryOffset,
  readBatchHeader,
  readEntryEncoding,
} from '@godwit/wire'

/** Batches of a round that may be lacking: a source that means well has none. */
const batchesMax = 256

/** By region. */
export class LackingPages {
  readonly #pages = new Map<number, Set<number>>()
  #batches = 0

  get isEmpty(): boolean {
    return this.#pages.size === 0
  }

  /** @throws {LimitError} when the source goes on and on */
  add({ region, runs }: Nak): void {
    if (++this.#batches > batchesMax) {
      const facts = { limit: 'lackingBatchesMax', value: this.#batches, maximum: batchesMax }
      const text = `${this.#batches} batches name content that is not here`
      throw new LimitError('LIMIT_EXCEEDED', text, facts)
    }
    const pages = this.#pages.get(region) ?? new Set()
    this.#pages.set(region, pages)
    for (const { firstPage, pageCount } of decodePageRuns(runs)) {
      for (let i = 0; i < pageCount; i++) pages.add(firstPage + i)
    }
  }

  /**
   * Pages that came, which are no longer lacking.
   *
   * @throws {ProtocolError} for others, and for anything but the pages as they are
   */
  take(body: Uint8Array): void {
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
    const header = readBatchHeader(view)
    const pages = this.#pages.get(header.region)
    const isPlain = header.compression === BatchCompression.None && header.stride === 0
    if (pages === undefined || !isPlain) throw unasked()
    for (let i = 0; i < header.entryCount; i++) {
      const entry = entryOffset(i)
      const encoding = readEntryEncoding(view, entry)
      if (encoding !== PageEncoding.Raw && encoding !== PageEncoding.Zero) throw unasked()
      const firstPage = view.getUint32(entry + ENTRY.firstPage, true)
      const pageCount = view.getUint16(entry + ENTRY.pageCount, true)
      for (let page = firstPage; page < firstPage + pageCount; page++) {
        if (!pages.delete(page)) throw unasked()
      }
    }
    if (pages.size === 0) this.#pages.delete(header.region)
    if (this.isEmpty) this.#batches = 0
  }
}

function unasked(): ProtocolError {
  return new ProtocolError('PROTOCOL_STATE', 'Other pages came than were asked for once more')
}
