/**
 * The part of a migration in which the guest runs here and its pages follow: which pages it lacks,
 * and asking for those that it waits for.
 *
 * @module
 */
import type { DemandPager, PageStates, Region } from '@godwit/core'
import { CodecError, ProtocolError, pagesCovering } from '@godwit/core'
import type { Discard, Lacking } from '@godwit/wire'
import { BATCH_ENTRIES_MAX, decodePageRuns, encodePageRuns } from '@godwit/wire'

/** Post-copy of one migration. */
export class PostCopy {
  readonly #pageBytes: number
  #regions: readonly Region[] = []
  #pager: DemandPager | undefined
  #states: readonly PageStates[] = []
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
    this.#states = pager.states
  }

  /** Undefined once all pages are there: it is closed, and whatever it had may be another's. */
  get pager(): DemandPager | undefined {
    return this.#pager
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
      this.#pager!.discard(index, firstPage, firstPage + pageCount)
    }
  }

  /**
   * What was discarded and has not come. No lane may be installing pages: what one has claimed and
   * not installed is to come again.
   */
  lacking(): Lacking[] {
    const all: Lacking[] = []
    for (const [index, { id: region }] of this.#regions.entries()) {
      const states = this.#states[index]!
      states.releaseClaims()
      const runs = states.missingRuns()
      for (let at = 0; at < runs.length; at += BATCH_ENTRIES_MAX) {
        all.push({ region, runs: encodePageRuns(runs.slice(at, at + BATCH_ENTRIES_MAX)) })
      }
    }
    return all
  }

  /**
   * The round has ended: nothing more is to come.
   *
   * @throws {ProtocolError} `PROTOCOL_TOTALS`: something is lacking
   */
  finish(): void {
    const lacking = this.#states.some(({ words }) => words.some((state) => state !== 0))
    if (lacking) throw new ProtocolError('PROTOCOL_TOTALS', 'Pages that were discarded never came')
    this.#pager?.close()
    this.#pager = undefined
  }
}
