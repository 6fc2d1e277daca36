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

/** Copies `from[start, end)` to `to`, from `at` on; the two do not overlap. */
export type CopyBytes = (
  to: Uint8Array,
  at: number,
  from: Uint8Array,
  start: number,
  end: number,
) => void

/** The engine's own, which copies shared memory word by word. */
export const portableCopy: CopyBytes = (to, at, from, start, end) => {
  to.set(from.subarray(start, end), at)
}

/** Room in the kernels' memory for pages from elsewhere; hashers of one thread may share it. */
export interface Xxh3Scratch {
  /** 256 KiB of pages. */
  readonly staged: number
  /** Their fingerprints, with one key and with another. */
  readonly out: number
  readonly otherOut: number
}

/** @throws {LimitError} `NO_ROOM` */
export function allocateXxh3Scratch(kernels: Kernels): Xxh3Scratch {
  const staged = kernels.allocate(stagedBytes, 64)
  const out = kernels.allocate(chunkPages * 8, 64)
  return { staged, out, otherOut: kernels.allocate(chunkPages * 8, 64) }
}

/** XXH3 of every page with one seed: 8 bytes an entry. */
export class Xxh3Hasher implements Omit<PageHasher, 'name'> {
  readonly name = 'xxh3'
  readonly entryBytes = 8
  readonly #kernels: Kernels
  readonly #scratch: Xxh3Scratch
  readonly #copy: CopyBytes
  readonly #out: Uint32Array
  readonly #otherOut: Uint32Array
  readonly #key: number
  /** Digests have no seed. */
  readonly #digestKey: number

  /**
   * @param copy - brings pages from elsewhere
   * @throws {LimitError} `NO_ROOM` when the kernels' memory is too small
   */
  constructor(
    kernels: Kernels,
    seed: bigint,
    scratch: Xxh3Scratch = allocateXxh3Scratch(kernels),
    copy: CopyBytes = portableCopy,
  ) {
    this.#kernels = kernels
    this.#scratch = scratch
    this.#copy = copy
    this.#out = new Uint32Array(kernels.bytes.buffer, scratch.out, chunkPages * 2)
    this.#otherOut = new Uint32Array(kernels.bytes.buffer, scratch.otherOut, chunkPages * 2)
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
    this.#hashPages(bytes, start, end, pageBytes, into, firstEntry, undefined)
  }

  /** The same for another hasher of these kernels, too, in less time than two calls. */
  hashPages2(
    bytes: Uint8Array,
    start: number,
    end: number,
    pageBytes: number,
    into: FingerprintTable,
    firstEntry: number,
    other: { readonly hasher: Xxh3Hasher; readonly into: FingerprintTable },
  ): void {
    this.#hashPages(bytes, start, end, pageBytes, into, firstEntry, other)
  }

  #hashPages(
    bytes: Uint8Array,
    start: number,
    end: number,
    pageBytes: number,
    into: FingerprintTable,
    firstEntry: number,
    other: { readonly hasher: Xxh3Hasher; readonly into: FingerprintTable } | undefined,
  ): void {
    const kernels = this.#kernels
    const { staged, out, otherOut } = this.#scratch
    const isInPlace = this.isOver(bytes)
    const room = isInPlace ? chunkPages : Math.floor(stagedBytes / pageBytes)
    const chunkBytes = Math.min(chunkPages, room) * pageBytes
    let word = firstEntry * 2
    for (let from = start; from < end; from += chunkBytes) {
      const byteCount = Math.min(from + chunkBytes, end) - from
      if (!isInPlace) this.#copy(kernels.bytes, staged, bytes, from, from + byteCount)
      const at = isInPlace ? bytes.byteOffset + from : staged
      const wordCount = Math.ceil(byteCount / pageBytes) * 2
      if (other === undefined) {
        kernels.hashPages(at, byteCount, pageBytes, this.#key, out)
      } else {
        const otherKey = other.hasher.#key
        kernels.hashPages2(at, byteCount, pageBytes, this.#key, out, otherKey, otherOut)
        copyWords(this.#otherOut, other.into.words32, word, wordCount)
      }
      copyWords(this.#out, into.words32, word, wordCount)
      word += wordCount
    }
  }

  /**
   * Looks at consecutive pages for zeros, too: 1 or 0 a page to `zeros`, and an entry each to
   * `into`. All three are in the kernels' memory.
   *
   * @returns how many pages are zero
   */
  packPages(
    bytes: Uint8Array,
    start: number,
    end: number,
    pageBytes: number,
    zeros: Uint8Array,
    into: FingerprintTable,
  ): number {
    const at = bytes.byteOffset + start
    const [flags, out] = [zeros.byteOffset, into.bytes.byteOffset]
    return this.#kernels.pack(at, end - start, pageBytes, flags, this.#key, out)
  }

  /** Whether they are in the kernels' memory: then they are hashed in place. */
  isOver(bytes: Uint8Array): boolean {
    return bytes.buffer === this.#kernels.bytes.buffer
  }

  /**
   * How many of the `pageCount` pages from `bytes[start]` on, which are in the kernels' memory, are
   * zero before the first that is not.
   */
  zeroRun(bytes: Uint8Array, start: number, pageBytes: number, pageCount: number): number {
    return this.#kernels.zeroRun(bytes.byteOffset + start, pageBytes, pageCount)
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

/** Faster than `set` of a view for the few words that these are. */
function copyWords(from: Uint32Array, into: Uint32Array, at: number, wordCount: number): void {
  for (let i = 0; i < wordCount; i++) into[at + i] = from[i]!
}
