/**
 * SHA-256 page fingerprints. The hash function is handed in: native where the runtime has one,
 * `@noble/hashes` (about seven times slower) where it has not.
 *
 * @module
 */
import type { FingerprintTable, PageHasher } from '@godwit/core'
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'

/** SHA-256 of `bytes` in 32 bytes of new memory. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array

/** Runs anywhere. `@noble/hashes` does not take views of shared memory, so those are copied. */
export const portableSha256: Sha256 = (bytes) =>
  nobleSha256(bytes.buffer instanceof ArrayBuffer ? bytes : bytes.slice())

/**
 * SHA-256 of an 8-byte seed followed by the page: 32 bytes an entry. The seed keeps fingerprints of
 * two sessions apart, as XXH64's does.
 */
export class Sha256Hasher implements PageHasher {
  readonly name = 'sha256'
  readonly entryBytes = 32
  /** Whether the runtime has the function. */
  readonly isNative: boolean
  readonly #sha256: Sha256
  readonly #seed: Uint8Array
  #input = new Uint8Array(0)

  constructor(sha256: Sha256, seed: Uint8Array) {
    this.isNative = sha256 !== portableSha256
    this.#sha256 = sha256
    this.#seed = seed
  }

  hashPages(
    bytes: Uint8Array,
    start: number,
    end: number,
    pageBytes: number,
    into: FingerprintTable,
    firstEntry: number,
  ): void {
    let entry = firstEntry
    for (let at = start; at < end; at += pageBytes) {
      const length = Math.min(pageBytes, end - at)
      const input = this.#inputOf(8 + length)
      input.set(bytes.subarray(at, at + length), 8)
      into.bytes.set(this.#sha256(input), entry++ * 32)
    }
  }

  digest(entries: Uint8Array): Uint8Array {
    return this.#sha256(entries)
  }

  /** Private memory of exactly `length` bytes that begins with the seed. */
  #inputOf(length: number): Uint8Array {
    if (this.#input.length !== length) {
      this.#input = new Uint8Array(length)
      this.#input.set(this.#seed)
    }
    return this.#input
  }
}
