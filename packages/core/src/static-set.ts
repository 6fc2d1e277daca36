/**
 * Contents of pages that both ends of a migration know by numbers, so that they need not travel:
 * ESCDR's static map of an operating system and hypervisor, or a stored image of the same guest.
 *
 * @module
 */

/**
 * Of the content of one page: the low word of its XXH3-64 with seed 0, little-endian, which finds,
 * and the first 28 bytes of its SHA-256. Two pages are the same when all of it is.
 */
export const CONTENT_HASH_BYTES = 32

/** Contents by number, the same at both ends. */
export interface StaticSet {
  readonly pageBytes: number
  /** Content hash of entry `i` at `i * CONTENT_HASH_BYTES`; shared memory, never changed. */
  readonly hashes: Uint8Array
  /**
   * Entry `i` is what every sample had at page `positions[i]`, counted over all regions; ascending.
   * Entries behind are somewhere else in each sample. Shared memory, never changed.
   */
  readonly positions: Uint32Array
}

/**
 * Where the destination finds the contents of entries. Threads may be given it: all of it is shared
 * memory, or names of files.
 */
export interface StaticPlaces {
  /** Live memory of siblings that run here, and files of memory. */
  readonly origins: readonly (Uint8Array | string)[]
  /** Per entry an index of `origins`, or {@link NOT_HELD}. */
  readonly origin: Uint8Array
  /** Per entry the page of that origin. */
  readonly page: Uint32Array
}

/** In {@link StaticPlaces.origin}: nowhere. */
export const NOT_HELD = 255

/** Content hashes as words; they begin at a multiple of 4. */
export function wordsOf({ buffer, byteOffset, length }: Uint8Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, length / 4)
}

/** The first entry whose place is not before `page`: all of {@link StaticSet.positions} ascend. */
export function entryFrom(positions: Uint32Array, page: number): number {
  let [low, high] = [0, positions.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (positions[middle]! < page) low = middle + 1
    else high = middle
  }
  return low
}
