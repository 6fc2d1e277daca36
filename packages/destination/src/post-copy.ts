/**
 * The part of a migration in which the guest runs here and its pages follow: which pages it lacks,
 * and asking for those that it waits for.
 *
 * @module
 */
import type { DemandPager, Region } from '@godwit/core'
import { CodecError, ProtocolError, pagesCovering } from '@godwit/core'
import type { Link } from '@godwit/link'
import type { Discard } from '@godwit/wire'
import { decodePageRuns } from '@godwit/wire'
import { PageRequests } from './page-requests.ts'

/** Post-copy of one migration. */
export class PostCopy {
  readonly #pageBytes: number
  #regions: readonly Region[] = []
  #pager: DemandPager | undefined
  #isOpen = false
  /** Pages named by DISCARD so far, by the region's index. */
  #discarded: number[] = []

  constructor(pageBytes: number) {
    this.#pageBytes = pageBytes
  }

  /** @throws {ProtocolError} `PROTOCOL_CAPABILITY`: the guest cannot wait for its pages */
  take(regions: readonly Region[], pager: DemandPager | undefined): void {
    if (pager === undefined) {
      const text = 'A guest of this kind cannot run before all of its pages are there'
      throw new ProtocolError('PROTOCOL_CAPABILITY', text)
    }
    this.#regions = regions
    this.#discarded = regions.map(() => 0)
    this.#pager = pager
  }

  get pager(): DemandPager {
    return this.#pager!
  }

  /** The urgent channel is there. @throws {ProtocolError} `PROTOCOL_STATE`: it was before */
  open(): void {
    if (this.#isOpen) {
      throw new ProtocolError('PROTOCOL_STATE', 'The urgent channel is there already')
    }
    this.#isOpen = true
  }

  /** Asks for pages on a link of this thread. */
  listen(link: Link): void {
    const { states } = this.pager
    const regions = this.#regions.map(({ id }, index) => ({ id, states: states[index]! }))
    const requests = new PageRequests(link, regions)
    this.pager.listen((index, page) => requests.ask(index, page))
  }

  /**
   * @throws {CodecError} `CODEC_PAGE_RANGE`
   * @throws {ProtocolError} `PROTOCOL_STATE`: more pages are named than the region has
   */
  discard({ region: id, runs }: Discard): void {
    const index = this.#regions.findIndex((region) => region.id === id)
    const region = this.#regions[index]
    const pages = region === undefined ? 0 : pagesCovering(region.bytes.length, this.#pageBytes)
    for (const { firstPage, pageCount } of decodePageRuns(runs)) {
      if (pageCount === 0 || firstPage + pageCount > pages) {
        throw new CodecError('CODEC_PAGE_RANGE', `Page ${firstPage} of region ${id} is discarded`)
      }
      this.#discarded[index]! += pageCount
      // A few bytes name a whole region: what they make this side do is bounded.
      if (this.#discarded[index]! > pages) {
        throw new ProtocolError('PROTOCOL_STATE', `Pages of region ${id} are discarded twice`)
      }
      this.#pager!.states[index]!.discard(firstPage, firstPage + pageCount)
    }
  }

  /**
   * The round has ended: nothing more is to come.
   *
   * @throws {ProtocolError} `PROTOCOL_TOTALS`: something is lacking
   */
  finish(): void {
    const lacking = this.#pager!.states.some(({ words }) => words.some((state) => state !== 0))
    if (lacking) throw new ProtocolError('PROTOCOL_TOTALS', 'Pages that were discarded never came')
    this.#pager!.close()
  }
}
