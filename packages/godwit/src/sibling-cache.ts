/**
 * What was found in files of memory, by file and set. Guests that run are never in it: they change.
 *
 * @module
 */

/** Of all that is kept; for more, what was not asked for the longest time goes. */
export const SIBLING_CACHE_BYTES_MAX: number = 64 * 2 ** 20

export class SiblingCache {
  /** Where each entry is; in the order of their last use. */
  readonly #pages = new Map<string, Uint32Array>()
  readonly #bytesMax: number
  #byteCount = 0

  constructor(bytesMax: number = SIBLING_CACHE_BYTES_MAX) {
    this.#bytesMax = bytesMax
  }

  /** Shared memory, not to be changed. */
  get(key: string): Uint32Array | undefined {
    const pages = this.#pages.get(key)
    if (pages === undefined) return undefined
    this.#pages.delete(key)
    this.#pages.set(key, pages)
    return pages
  }

  set(key: string, pages: Uint32Array): void {
    this.#drop(key)
    if (pages.byteLength > this.#bytesMax) return
    this.#pages.set(key, pages)
    this.#byteCount += pages.byteLength
    for (const oldest of this.#pages.keys()) {
      if (this.#byteCount <= this.#bytesMax) return
      this.#drop(oldest)
    }
  }

  #drop(key: string): void {
    this.#byteCount -= this.#pages.get(key)?.byteLength ?? 0
    this.#pages.delete(key)
  }
}
