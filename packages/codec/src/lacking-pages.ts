/**
 * Pages of one channel that were asked for once more and are not here yet.
 *
 * @module
 */
import { LimitError, PageBitmap, ProtocolError } from '@godwit/core'
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

/** Batches of a round that may be lacking, as a rule: a source that means well has none. */
const batchesMax = 256

/** By region: one bit for each of its pages, whatever a source does. */
export class LackingPages {
  readonly #pageCountOf: (region: number) => number
  readonly #batchesMax: number
  readonly #pages = new Map<number, PageBitmap>()
  /** In all regions. */
  #count = 0
  #batches = 0

  /**
   * @param pageCountOf - pages of a region that was announced, by id
   * @param mayOftenLack - whether a source that means well names what is not here any more: then
   *   there may be as many batches as pages
   */
  constructor(pageCountOf: (region: number) => number, mayOftenLack = false) {
    this.#pageCountOf = pageCountOf
    this.#batchesMax = mayOftenLack ? Infinity : batchesMax
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  /**
   * @throws {LimitError} when the source goes on and on
   * @throws {ProtocolError} `PROTOCOL_STATE`: a page is lacking already
   */
  add({ region, runs }: Nak): void {
    if (++this.#batches > this.#batchesMax) {
      const facts = { limit: 'lackingBatchesMax', value: this.#batches, maximum: this.#batchesMax }
      const text = `${this.#batches} batches name content that is not here`
      throw new LimitError('LIMIT_EXCEEDED', text, facts)
    }
    const pages = this.#pages.get(region) ?? new PageBitmap(this.#pageCountOf(region))
    this.#pages.set(region, pages)
    for (const { firstPage, pageCount } of decodePageRuns(runs)) {
      for (let page = firstPage; page < firstPage + pageCount; page++) {
        if (pages.has(page)) throw twice()
        pages.add(page)
        this.#count++
      }
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
        if (page >= pages.pageCount || !pages.has(page)) throw unasked()
        pages.delete(page)
        this.#count--
      }
    }
    if (this.isEmpty) this.#batches = 0
  }
}

function twice(): ProtocolError {
  return new ProtocolError('PROTOCOL_STATE', 'A page came twice in a round, and lacked twice')
}

function unasked(): ProtocolError {
  return new ProtocolError('PROTOCOL_STATE', 'Other pages came than were asked for once more')
}
