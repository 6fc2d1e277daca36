/**
 * XXH64 page fingerprints through `xxhash-wasm`; runs in Node and in browsers.
 *
 * @module
 */
import type { FingerprintTable, PageHasher } from '@godwit/core'
import xxhash from 'xxhash-wasm'

/** One instantiated wasm module: make one per thread and share it among hashers. */
export interface Xxh64 {
  hash(bytes: Uint8Array, seed: bigint): bigint
}

export async function createXxh64(): Promise<Xxh64> {
  const instance = await xxhash()
  return { hash: (bytes, seed) => instance.h64Raw(bytes, seed) }
}

/** XXH64 of every page with one seed: 8 bytes an entry. */
export class Xxh64Hasher implements PageHasher {
  readonly name = 'xxh64'
  readonly entryBytes = 8
  readonly #xxh64: Xxh64
  readonly #seed: bigint

  constructor(xxh64: Xxh64, seed: bigint) {
    this.#xxh64 = xxh64
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
    const words = into.words64
    let entry = firstEntry
    for (let at = start; at < end; at += pageBytes) {
      words[entry++] = this.#xxh64.hash(
        bytes.subarray(at, Math.min(at + pageBytes, end)),
        this.#seed,
      )
    }
  }

  digest(entries: Uint8Array): Uint8Array {
    const out = new Uint8Array(8)
    new DataView(out.buffer).setBigUint64(0, this.#xxh64.hash(entries, 0n), true)
    return out
  }
}
