/**
 * Where content is, by its fingerprint. Forgets: what it answers is checked by whoever asks.
 *
 * @module
 */

/** A table of fixed size; a newer entry takes the place of an older one in its way. */
export class ContentIndex {
  readonly #slots: Uint32Array
  readonly #mask: number

  /** @param entryCount - rounded up to a power of two */
  constructor(entryCount: number) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(2, entryCount)))
    this.#slots = new Uint32Array(size)
    this.#mask = size - 1
  }

  get byteLength(): number {
    return this.#slots.byteLength
  }

  /** @param mark - a word of the fingerprint */
  set(mark: number, value: number): void {
    this.#slots[mark & this.#mask] = value + 1
  }

  /** @returns -1 when there is nothing */
  get(mark: number): number {
    return this.#slots[mark & this.#mask]! - 1
  }
}
