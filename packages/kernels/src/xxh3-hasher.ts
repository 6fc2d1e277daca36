/**
 * XXH3 page fingerprints through the kernels.
 *
 * @module
 */
import type { FingerprintTable, PageHasher } from '@godwit/core'
import type { Kernels } from './kernels.ts'
import { XXH3_SCRATCH_WORDS, xxh3 } from './reference/xxh3.ts'
import { KEY_BYTES, writeKey } from './xxh3-key.ts'

/** Pages that are copied and hashed at a time. */
const chunkPages = 64
const stagedBytes = chunkPages * 4096

/** Room in the kernels' memory for pages from elsewhere; hashers of one thread may share it. */
export interface Xxh3Scratch {
  /** 256 KiB of pages. */
  readonly staged: number
  /** Their fingerprints. */
  readonly out: number
}

/** @throws {LimitError} `NO_ROOM` */
export function allocateXxh3Scratch(kernels: Kernels): Xxh3Scratch {
  const staged = kernels.allocate(stagedBytes, 64)
  return { staged, out: kernels.allocate(chunkPages * 8, 64) }
}

/** XXH3 of every page with one seed: 8 bytes an entry. */
export class Xxh3Hasher implements Omit<PageHasher, 'name'> {
  readonly name = 'xxh3'
  readonly entryBytes = 8
  readonly #kernels: Kernels
  readonly #scratch: Xxh3Scratch
  readonly #out: Uint32Array
  readonly #key: number
  /** Digests have no seed. */
  readonly #digestKey: number

  /** @throws {LimitError} `NO_ROOM` when the kernels' memory is too small */
  constructor(kernels: Kernels, seed: bigint, scratch: Xxh3Scratch = allocateXxh3Scratch(kernels)) {
    this.#kernels = kernels
    this.#scratch = scratch
    this.#out = new Uint32Array(kernels.bytes.buffer, scratch.out, chunkPages * 2)
    this.#key = kernels.createKey(seed)
    this.#digestKey = kernels.createKey(0n)
  }

  /**
   * Hashes the consecutive pages of `bytes[start, end)` (the last may be short) and writes one
   * entry each to `into`. What is in the kernels' memory already is hashed in place, else copied
   * there.
   */
  hashPages(
    bytes: Uint8Array,
    start: number,
    end: number,
    pageBytes: number,
    into: FingerprintTable,
    firstEntry: number,
  ): void {
    const kernels = this.#kernels
    const { staged, out } = this.#scratch
    const isInPlace = bytes.buffer === kernels.bytes.buffer
    const room = isInPlace ? chunkPages : Math.floor(stagedBytes / pageBytes)
    const chunkBytes = Math.min(chunkPages, room) * pageBytes
    let word = firstEntry * 2
    for (let from = start; from < end; from += chunkBytes) {
      const to = Math.min(from + chunkBytes, end)
      if (!isInPlace) kernels.bytes.set(bytes.subarray(from, to), staged)
      const at = isInPlace ? bytes.byteOffset + from : staged
      kernels.hashPages(at, to - from, pageBytes, this.#key, out)
      const wordCount = Math.ceil((to - from) / pageBytes) * 2
      for (let i = 0; i < wordCount; i++) into.words32[word++] = this.#out[i]!
    }
  }

  /** XXH3 of a run of entries with seed 0: 8 little-endian bytes. */
  digest(entries: Uint8Array): Uint8Array {
    const kernels = this.#kernels
    const { staged, out } = this.#scratch
    if (entries.length > stagedBytes) return digestUnstaged(entries)
    kernels.bytes.set(entries, staged)
    kernels.hash(staged, entries.length, this.#digestKey, out)
    return kernels.bytes.slice(out, out + 8)
  }
}

/** Of more entries than scratch holds, which happens once per migration and region. */
function digestUnstaged(entries: Uint8Array): Uint8Array {
  const key = new DataView(new ArrayBuffer(KEY_BYTES))
  writeKey(key, 0, 0n)
  const data = new DataView(entries.buffer, entries.byteOffset, entries.byteLength)
  const words = new Uint32Array(XXH3_SCRATCH_WORDS)
  xxh3(data, 0, entries.length, key, words)
  const digest = new DataView(new ArrayBuffer(8))
  digest.setUint32(0, words[0]!, true)
  digest.setUint32(4, words[1]!, true)
  return new Uint8Array(digest.buffer)
}
