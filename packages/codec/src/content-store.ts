/**
 * Older versions of pages, which no page holds any more: both ends keep the same in the same slots,
 * since the source says what goes where.
 *
 * @module
 */

/** Slots that get their memory together. */
const slotsPerChunk = 64

/** Page contents by slot. Takes memory as slots are used, and no more than they need. */
export class ContentStore {
  readonly slotCount: number
  readonly #pageBytes: number
  readonly #chunks: (Uint8Array | undefined)[] = []
  /** Bytes in each slot; 0 for none. */
  readonly #lengths: Uint32Array

  constructor(storeBytes: number, pageBytes: number) {
    this.slotCount = storeSlots(storeBytes, pageBytes)
    this.#pageBytes = pageBytes
    this.#lengths = new Uint32Array(this.slotCount)
  }

  /** Memory taken so far. */
  get byteLength(): number {
    return this.#chunks.reduce((sum, chunk) => sum + (chunk?.length ?? 0), 0)
  }

  /** Keeps a copy of a page, or of a short last one. */
  put(slot: number, page: Uint8Array): void {
    const chunkIndex = Math.floor(slot / slotsPerChunk)
    const first = chunkIndex * slotsPerChunk
    const slots = Math.min(slotsPerChunk, this.slotCount - first)
    const chunk = (this.#chunks[chunkIndex] ??= new Uint8Array(slots * this.#pageBytes))
    chunk.set(page, (slot - first) * this.#pageBytes)
    this.#lengths[slot] = page.length
  }

  /** What a slot holds, borrowed; undefined for nothing. */
  get(slot: number): Uint8Array | undefined {
    const length = this.#lengths[slot]
    if (length === undefined || length === 0) return undefined
    const at = (slot % slotsPerChunk) * this.#pageBytes
    return this.#chunks[Math.floor(slot / slotsPerChunk)]!.subarray(at, at + length)
  }
}

/** How many pages a store has room for. */
export function storeSlots(storeBytes: number, pageBytes: number): number {
  return Math.floor(storeBytes / pageBytes)
}
