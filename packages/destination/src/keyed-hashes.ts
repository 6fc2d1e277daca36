/**
 * Keyed hashes of an image's entries, as a source is told them: made piece by piece, ahead of when
 * they are told, since there may be millions at some microseconds each.
 *
 * @module
 */
import type { PageBitmap, StaticSet } from '@godwit/core'
import { CONTENT_HASH_BYTES } from '@godwit/core'
import type { KeyedHasher } from '@godwit/codec'
import { STATIC_HASH_BYTES } from '@godwit/wire'

/** Made at a time: a millisecond or two. */
const pieceEntries = 1024

/** Of one image. */
export class KeyedHashes {
  /** So many are made, from the first on. */
  count = 0
  readonly #set: StaticSet
  readonly #held: PageBitmap
  readonly #hasher: KeyedHasher
  readonly #bytes: Uint8Array

  /** @param held - a bit per entry; of others the hash is zeros */
  constructor(set: StaticSet, held: PageBitmap, hasher: KeyedHasher) {
    this.#set = set
    this.#held = held
    this.#hasher = hasher
    this.#bytes = new Uint8Array(held.pageCount * STATIC_HASH_BYTES)
  }

  get isComplete(): boolean {
    return this.count === this.#held.pageCount
  }

  /** Makes some more. */
  step(): void {
    const end = Math.min(this.#held.pageCount, this.count + pieceEntries)
    for (let entry = this.count; entry < end; entry++) {
      if (!this.#held.has(entry)) continue
      const at = entry * CONTENT_HASH_BYTES
      const content = this.#set.hashes.subarray(at, at + CONTENT_HASH_BYTES)
      this.#hasher.hash(content, this.#bytes, entry * STATIC_HASH_BYTES)
    }
    this.count = end
  }

  /** Of entries `[first, end)`, all of which are made; borrowed. */
  slice(first: number, end: number): Uint8Array {
    return this.#bytes.subarray(first * STATIC_HASH_BYTES, end * STATIC_HASH_BYTES)
  }
}
