/**
 * Pages of batches that the destination could not make sense of: they are sent once more, as they
 * are now, with their bytes.
 *
 * @module
 */
import { PageBitmap, ProtocolError, pagesCovering } from '@godwit/core'
import type { BatchEncoder, BatchSlot, EncodedBatch, SentPages } from '@godwit/codec'
import type { Nak } from '@godwit/wire'
import { decodePageRuns } from '@godwit/wire'

/** Pages of one region. */
interface RegionRepairs {
  readonly sent: SentPages
  /** Asked for in this round: no page is, twice. */
  readonly asked: PageBitmap
  /** Of them: still to be sent. */
  readonly left: PageBitmap
}

/** What one lane is asked for again. */
export class Repairs {
  readonly #sent: readonly SentPages[]
  readonly #pageBytes: number
  /** Made when they are needed, by the region's index. */
  readonly #regions: (RegionRepairs | undefined)[] = []
  #pages = 0

  constructor(sent: readonly SentPages[], pageBytes: number) {
    this.#sent = sent
    this.#pageBytes = pageBytes
  }

  get isEmpty(): boolean {
    return this.#regions.every((one) => one === undefined || one.left.size === 0)
  }

  /** Asked for so far. */
  get pages(): number {
    return this.#pages
  }

  /** Another round begins; everything was sent. */
  beginRound(): void {
    for (const one of this.#regions) one?.asked.clear()
  }

  /**
   * @param dirty - per region: the pages of the round
   * @throws {ProtocolError} for pages that the round has not, and for those asked for before
   */
  add({ region, runs }: Nak, dirty: readonly PageBitmap[]): void {
    const index = this.#sent.findIndex((one) => one.region.id === region)
    if (index < 0) throw unknown(`region ${region}`)
    const { asked, left } = (this.#regions[index] ??= this.#make(index))
    for (const { firstPage, pageCount } of decodePageRuns(runs)) {
      const end = firstPage + pageCount
      if (pageCount === 0) throw unknown(`no page of region ${region}`)
      if (end > asked.pageCount) throw unknown(`page ${end - 1} of region ${region}`)
      for (let page = firstPage; page < end; page++) {
        if (!dirty[index]!.has(page) || asked.has(page)) {
          throw unknown(`page ${page} of region ${region} once more`)
        }
        asked.add(page)
        left.add(page)
      }
      this.#pages += pageCount
    }
  }

  #make(index: number): RegionRepairs {
    const sent = this.#sent[index]!
    const pages = pagesCovering(sent.region.bytes.length, this.#pageBytes)
    return { sent, asked: new PageBitmap(pages), left: new PageBitmap(pages) }
  }

  /** Encodes some of it. @returns whether the slot has anything to send */
  encode(encoder: BatchEncoder, round: number, slot: BatchSlot, batch: EncodedBatch): boolean {
    const { sent, left: dirty } = this.#regions.find((one) => (one?.left.size ?? 0) > 0)!
    const work = { round, sent, dirty, known: false, postCopy: false }
    const first = dirty.nextSet(0)
    const filled = encoder.encode(work, first, dirty.pageCount, slot, batch)
    for (let page = first; page < batch.nextPage; page++) dirty.delete(page)
    return filled
  }
}

function unknown(what: string): ProtocolError {
  return new ProtocolError(
    'PROTOCOL_STATE',
    `The destination asks for ${what}, which it cannot lack`,
  )
}
