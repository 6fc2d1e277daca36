/**
 * What the destination lacks after a connection was lost, as it tells it.
 *
 * @module
 */
import { CodecError, PageBitmap, ProtocolError, pagesCovering } from '@godwit/core'
import type { Region } from '@godwit/core'
import type { Lacking, Resumed } from '@godwit/wire'
import { decodePageRuns, lackingChecksum } from '@godwit/wire'

/** Collects one answer. */
export class LackingPages {
  /** Per region; shared. */
  readonly bitmaps: readonly PageBitmap[]
  readonly #regions: readonly Region[]
  #checksum = 0
  #pages = 0

  constructor(regions: readonly Region[], pageBytes: number) {
    this.#regions = regions
    this.bitmaps = regions.map(({ bytes }) => {
      return PageBitmap.shared(pagesCovering(bytes.length, pageBytes))
    })
  }

  /**
   * @throws {CodecError} `CODEC_PAGE_RANGE`
   * @throws {ProtocolError} `PROTOCOL_STATE`: a page is named twice
   */
  add(lacking: Lacking): void {
    const index = this.#regions.findIndex(({ id }) => id === lacking.region)
    const bitmap = this.bitmaps[index]
    for (const { firstPage, pageCount } of decodePageRuns(lacking.runs)) {
      if (bitmap === undefined || pageCount === 0 || firstPage + pageCount > bitmap.pageCount) {
        const text = `Page ${firstPage} of region ${lacking.region} is said to be lacking`
        throw new CodecError('CODEC_PAGE_RANGE', text)
      }
      for (let page = firstPage; page < firstPage + pageCount; page++) {
        // Each at most once: what a few bytes make this side do is bounded.
        if (bitmap.has(page)) {
          throw new ProtocolError('PROTOCOL_STATE', `Page ${page} is lacking twice`)
        }
        bitmap.add(page)
      }
      this.#pages += pageCount
    }
    this.#checksum = lackingChecksum(lacking, this.#checksum)
  }

  /** @throws {ProtocolError} `PROTOCOL_TOTALS`: not all of it came, or not as it was sent */
  check({ pages, checksum }: Resumed): void {
    if (pages === this.#pages && checksum === this.#checksum) return
    const text = `${pages} pages are lacking there; ${this.#pages} of them were named`
    throw new ProtocolError('PROTOCOL_TOTALS', text)
  }
}
