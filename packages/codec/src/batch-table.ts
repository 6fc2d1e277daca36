/**
 * The entries of a batch that is being made: runs of pages of one encoding.
 *
 * @module
 */
import type { PageEncoding } from '@godwit/wire'
import { BATCH_ENTRIES_MAX, ENTRY_BYTES, writeBatchEntry } from '@godwit/wire'
import type { BatchSlot } from './batch-slot.ts'

const entryPagesMax = 0xffff

/** Neighbours with the same encoding make one entry. */
export class BatchTable {
  readonly #firstPages = new Uint32Array(BATCH_ENTRIES_MAX)
  readonly #pageCounts = new Uint32Array(BATCH_ENTRIES_MAX)
  readonly #encodings = new Uint8Array(BATCH_ENTRIES_MAX)
  readonly #payloads = new Uint32Array(BATCH_ENTRIES_MAX)
  #count = 0

  get count(): number {
    return this.#count
  }

  clear(): void {
    this.#count = 0
  }

  /** The pages from `page` on. @returns whether the last entry took them in */
  add(page: number, encoding: PageEncoding, payloadBytes: number, count = 1): boolean {
    const last = this.#count - 1
    if (this.continues(page, encoding) && this.#pageCounts[last]! + count <= entryPagesMax) {
      this.#pageCounts[last]! += count
      this.#payloads[last]! += payloadBytes
      return true
    }
    this.addApart(page, encoding, payloadBytes, count)
    return false
  }

  /** The same in an entry of its own. */
  addApart(page: number, encoding: PageEncoding, payloadBytes: number, count = 1): void {
    const index = this.#count++
    this.#firstPages[index] = page
    this.#pageCounts[index] = count
    this.#encodings[index] = encoding
    this.#payloads[index] = payloadBytes
  }

  /** Whether `page` follows the last entry, which has the encoding. */
  continues(page: number, encoding: PageEncoding): boolean {
    const last = this.#count - 1
    return (
      last >= 0 &&
      this.#encodings[last] === encoding &&
      this.#firstPages[last]! + this.#pageCounts[last]! === page
    )
  }

  /** Calls with the first page, number of pages and encoding of every entry. */
  forEach(visit: (firstPage: number, pageCount: number, encoding: PageEncoding) => void): void {
    for (let i = 0; i < this.#count; i++) {
      visit(this.#firstPages[i]!, this.#pageCounts[i]!, this.#encodings[i]! as PageEncoding)
    }
  }

  /** Writes the table in front of the slot's payload. @returns where it begins */
  write(slot: BatchSlot): number {
    const start = slot.payloadStart - this.#count * ENTRY_BYTES
    for (let i = 0; i < this.#count; i++) {
      writeBatchEntry(
        slot.view,
        start,
        i,
        this.#firstPages[i]!,
        this.#pageCounts[i]!,
        this.#encodings[i]! as PageEncoding,
        this.#payloads[i]!,
      )
    }
    return start
  }
}
