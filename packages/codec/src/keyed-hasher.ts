/**
 * Content hashes as those are told them who recognise what they have, and learn nothing else.
 *
 * @module
 */
import { CONTENT_HASH_BYTES } from '@godwit/core'
import { STATIC_HASH_BYTES } from '@godwit/wire'
import type { Sha256 } from './sha256.ts'

/**
 * The first 16 bytes of the SHA-256 of a key and a content hash: whoever does not have the page
 * cannot look it up elsewhere.
 */
export class KeyedHasher {
  readonly #sha256: Sha256
  readonly #input: Uint8Array
  readonly #keyBytes: number

  constructor(sha256: Sha256, key: Uint8Array) {
    this.#sha256 = sha256
    this.#keyBytes = key.length
    this.#input = new Uint8Array(key.length + CONTENT_HASH_BYTES)
    this.#input.set(key)
  }

  /**
   * @param contentHash - {@link CONTENT_HASH_BYTES} of them
   * @param into - {@link STATIC_HASH_BYTES} are written, from `at` on
   */
  hash(contentHash: Uint8Array, into: Uint8Array, at = 0): void {
    this.#input.set(contentHash, this.#keyBytes)
    const sha = this.#sha256(this.#input)
    for (let i = 0; i < STATIC_HASH_BYTES; i++) into[at + i] = sha[i]!
  }
}
