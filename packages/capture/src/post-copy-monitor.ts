/**
 * The pages that a guest of a capture lacked while it ran, and what they held before they came: a
 * connection that is lost may take what was sent back.
 *
 * @module
 */
import type { PageRun } from '@godwit/core'
import { PageBitmap, ProtocolError } from '@godwit/core'
import type { Discard, Lacking, PageRequest, Resumed } from '@godwit/wire'
import { decodePageRuns, lackingChecksum, pageCountOf } from '@godwit/wire'
import type { MemoryImage } from './memory-image.ts'

/** Of one session. */
export class PostCopyMonitor {
  readonly #image: MemoryImage
  /** By region: pages that were named by DISCARD. */
  readonly #named = new Map<number, PageBitmap>()
  /** By region: what pages held that came; undefined for zeros. */
  readonly #before = new Map<number, Map<number, Uint8Array | undefined>>()
  /** By region: pages that were asked for. */
  readonly #asked = new Map<number, PageBitmap>()
  #lacking: Lacking[] = []
  /** Of those, by region. */
  readonly #lackingPages = new Map<number, PageBitmap>()

  constructor(image: MemoryImage) {
    this.#image = image
  }

  /** Pages that are to come. */
  get missingPages(): number {
    return this.#image.installed.reduce((sum, { states }) => {
      return states!.missingRuns().reduce((part, { pageCount }) => part + pageCount, sum)
    }, 0)
  }

  /** @throws {CodecError} `CODEC_PAGE_RANGE` {@link ProtocolError} `PROTOCOL_STATE` */
  discard({ region, runs }: Discard): void {
    const all = decodePageRuns(runs)
    const { states } = this.#image.checkRuns(region, all)
    const named = this.#pagesIn(this.#named, region)
    for (const { firstPage, pageCount } of all) {
      for (let page = firstPage; page < firstPage + pageCount; page++) {
        if (named.has(page)) throw new ProtocolError('PROTOCOL_STATE', twice(region, page))
        named.add(page)
      }
      states!.discard(firstPage, firstPage + pageCount)
    }
  }

  /** Pages are about to come. */
  remember(region: number, runs: readonly PageRun[]): void {
    const { region: memory, states, written } = this.#image.pagesOf(region)
    let before = this.#before.get(region)
    if (before === undefined) this.#before.set(region, (before = new Map()))
    const { pageBytes } = this.#image
    for (const { firstPage, pageCount } of runs) {
      const end = Math.min(firstPage + pageCount, written.length)
      for (let page = firstPage; page < end; page++) {
        if (states!.isPresent(page) || before.has(page)) continue
        const start = page * pageBytes
        const held = written[page] === 0 ? undefined : memory.bytes.slice(start, start + pageBytes)
        before.set(page, held)
      }
    }
  }

  /** Pages did not come after all: they hold what they held, and are to come. */
  takeBack(region: number, runs: readonly PageRun[]): void {
    const { region: memory, states, written } = this.#image.pagesOf(region)
    const { pageBytes } = this.#image
    for (const { firstPage, pageCount } of runs) {
      for (let page = firstPage; page < firstPage + pageCount; page++) {
        if (states!.isPresent(page)) {
          const start = page * pageBytes
          const end = Math.min(start + pageBytes, memory.bytes.length)
          memory.bytes.fill(0, start, end)
          memory.bytes.set(this.#before.get(region)?.get(page) ?? new Uint8Array(0), start)
          // So that a zero page is work, whatever it holds.
          written[page] = 1
        }
        states!.discard(page, page + 1)
      }
    }
  }

  /** What is lacking is told anew. */
  reconnected(): void {
    this.#lacking = []
    this.#lackingPages.clear()
    this.#asked.clear()
  }

  /** @throws {ProtocolError} `PROTOCOL_STATE`: a page that it did not discard, or one twice */
  addLacking(lacking: Lacking): void {
    const { region } = lacking
    const all = decodePageRuns(lacking.runs)
    this.#image.checkRuns(region, all)
    const named = this.#pagesIn(this.#named, region)
    const told = this.#pagesIn(this.#lackingPages, region)
    for (const { firstPage, pageCount } of all) {
      for (let page = firstPage; page < firstPage + pageCount; page++) {
        if (named.has(page) && !told.has(page)) {
          told.add(page)
          continue
        }
        const text = `Page ${page} of region ${region} is lacking, and was not to come, or told`
        throw new ProtocolError('PROTOCOL_STATE', text)
      }
    }
    this.#lacking.push(lacking)
  }

  /**
   * What was lacking is to come anew.
   *
   * @throws {ProtocolError} `PROTOCOL_TOTALS`: it is not what RESUMED says, or not all
   */
  resume(resumed: Resumed): void {
    const lacking = this.#lacking
    const pages = lacking.reduce((sum, { runs }) => sum + pageCountOf(runs), 0)
    const checksum = lacking.reduce((crc, one) => lackingChecksum(one, crc), 0)
    if (pages !== resumed.pages || checksum !== resumed.checksum) {
      const text = `RESUMED speaks of ${resumed.pages} pages; LACKING named ${pages}`
      throw new ProtocolError('PROTOCOL_TOTALS', text)
    }
    const missingBefore = this.missingPages
    let known = 0
    for (const { region, runs } of lacking) {
      const all = decodePageRuns(runs)
      const { states } = this.#image.pagesOf(region)
      for (const { firstPage, pageCount } of all) {
        for (let page = firstPage; page < firstPage + pageCount; page++) {
          if (!states!.isPresent(page)) known++
        }
      }
      this.takeBack(region, all)
    }
    if (known !== missingBefore || this.missingPages !== pages) {
      const text = `Pages that never came are not among the ${pages} that are lacking`
      throw new ProtocolError('PROTOCOL_TOTALS', text)
    }
  }

  /** @throws {CodecError} `CODEC_PAGE_RANGE` */
  ask({ region, page }: PageRequest): void {
    this.#image.checkRuns(region, [{ firstPage: page, pageCount: 1 }])
    this.#pagesIn(this.#asked, region).add(page)
  }

  /** @throws {ProtocolError} `PROTOCOL_STATE`: it came by the urgent channel, unasked */
  checkAsked(region: number, runs: readonly PageRun[]): void {
    const asked = this.#pagesIn(this.#asked, region)
    for (const { firstPage, pageCount } of runs) {
      for (let page = firstPage; page < firstPage + pageCount; page++) {
        if (asked.has(page)) continue
        const text = `Page ${page} of region ${region} came by the urgent channel, unasked`
        throw new ProtocolError('PROTOCOL_STATE', text)
      }
    }
  }

  #pagesIn(sets: Map<number, PageBitmap>, region: number): PageBitmap {
    const there = sets.get(region)
    if (there !== undefined) return there
    const made = new PageBitmap(this.#image.pagesOf(region).written.length)
    sets.set(region, made)
    return made
  }

  /** All pages are said to be there. @throws {ProtocolError} `PROTOCOL_TOTALS` */
  finish(): void {
    const missing = this.missingPages
    if (missing > 0) {
      throw new ProtocolError('PROTOCOL_TOTALS', `${missing} pages that were to come never came`)
    }
  }
}

function twice(region: number, page: number): string {
  return `Page ${page} of region ${region} is discarded twice`
}
