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

/** What one lane is asked for again. */
export class Repairs {
  readonly #sent: readonly SentPages[]
  readonly #pageBytes: number
  readonly #asked: { readonly sent: SentPages; readonly dirty: PageBitmap }[] = []
  #pages = 0

  constructor(sent: readonly SentPages[], pageBytes: number) {
    this.#sent = sent
    this.#pageBytes = pageBytes
  }

  get isEmpty(): boolean {
    return this.#asked.length === 0
  }

  /** Asked for so far. */
  get pages(): number {
    return this.#pages
  }

  /** @throws {ProtocolError} for pages that there are not */
  add({ region, runs }: Nak): void {
    const sent = this.#sent.find((one) => one.region.id === region)
    if (sent === undefined) throw unknown(`region ${region}`)
    const dirty = new PageBitmap(pagesCovering(sent.region.bytes.length, this.#pageBytes))
    for (const { firstPage, pageCount } of decodePageRuns(runs)) {
      const end = firstPage + pageCount
      if (end > dirty.pageCount) throw unknown(`page ${end - 1} of region ${region}`)
      for (let page = firstPage; page < end; page++) dirty.add(page)
    }
    this.#pages += dirty.size
    this.#asked.push({ sent, dirty })
  }

  /** Encodes some of it. @returns whether the slot has anything to send */
  encode(encoder: BatchEncoder, round: number, slot: BatchSlot, batch: EncodedBatch): boolean {
    const { sent, dirty } = this.#asked[0]!
    const work = { round, sent, dirty, known: false }
    const first = dirty.nextSet(0)
    const filled = encoder.encode(work, first, dirty.pageCount, slot, batch)
    for (let page = first; page < batch.nextPage; page++) dirty.delete(page)
    if (batch.nextPage >= dirty.pageCount) this.#asked.shift()
    return filled
  }
}

function unknown(what: string): ProtocolError {
  return new ProtocolError('PROTOCOL_STATE', `The destination asks for ${what}, which is not there`)
}
