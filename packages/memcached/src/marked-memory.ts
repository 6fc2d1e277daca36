/**
 * Guest memory that is stored to through a write barrier: every store is followed by its mark.
 *
 * @module
 */
import { markDirty } from '@godwit/memory'

/** Where marks go. */
export interface StoreMarks {
  /** One byte per page of the migration. */
  readonly map: Uint8Array
  /** A power of two. */
  readonly pageBytes: number
}

/** Typed views of one region; offsets are bytes from its start. All stores go through here. */
export class MarkedMemory {
  readonly bytes: Uint8Array
  /** For reading: 32-bit words at a quarter of their offset. */
  readonly words: Uint32Array
  /** For reading: doubles at an eighth of their offset. */
  readonly numbers: Float64Array
  readonly #map: Uint8Array | undefined
  readonly #shift: number

  /**
   * @param bytes - starts at a multiple of 8 in its buffer; at most 4 GiB
   * @param marks - absent where nobody tracks the stores
   */
  constructor(bytes: Uint8Array, marks?: StoreMarks) {
    const { buffer, byteOffset, byteLength } = bytes
    this.bytes = bytes
    this.words = new Uint32Array(buffer, byteOffset, Math.floor(byteLength / 4))
    this.numbers = new Float64Array(buffer, byteOffset, Math.floor(byteLength / 8))
    this.#map = marks?.map
    this.#shift = Math.log2(marks?.pageBytes ?? 1)
  }

  setByte(at: number, value: number): void {
    this.bytes[at] = value
    this.#mark(at)
  }

  /** @param at - a multiple of 4 */
  setWord(at: number, value: number): void {
    this.words[at >>> 2] = value
    this.#mark(at)
  }

  /** @param at - a multiple of 8 */
  setNumber(at: number, value: number): void {
    this.numbers[at >>> 3] = value
    this.#mark(at)
  }

  /** Copies `source[from, from + count)` to `at`. */
  copyIn(at: number, source: Uint8Array, from: number, count: number): void {
    if (count === 0) return
    const whole = from === 0 && count === source.length
    this.bytes.set(whole ? source : source.subarray(from, from + count), at)
    this.#markRange(at, count)
  }

  /** Makes `[at, at + count)` zero. */
  clear(at: number, count: number): void {
    if (count === 0) return
    this.bytes.fill(0, at, at + count)
    this.#markRange(at, count)
  }

  // The data is stored before its mark: see `byte-map-tracker.ts`.
  #mark(at: number): void {
    if (this.#map !== undefined) markDirty(this.#map, at >>> this.#shift)
  }

  #markRange(at: number, count: number): void {
    const map = this.#map
    if (map === undefined) return
    const last = (at + count - 1) >>> this.#shift
    for (let page = at >>> this.#shift; page <= last; page++) markDirty(map, page)
  }
}
