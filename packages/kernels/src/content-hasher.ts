/**
 * The content hash by which two ends know a page that neither has sent: see `CONTENT_HASH_BYTES`.
 *
 * @module
 */
import { CONTENT_HASH_BYTES, MIB } from '@godwit/core'
import type { Kernels } from './kernels.ts'

/** Words of a content hash: one that finds, then those of SHA-256. */
export const CONTENT_WORDS: number = CONTENT_HASH_BYTES / 4
/** What a content hash has of SHA-256: its first bytes. */
export const SHA_BYTES: number = CONTENT_HASH_BYTES - 4

/** Writes the first {@link SHA_BYTES} of the SHA-256 of a page to `into`, from `at` on. */
export type WriteSha = (page: Uint8Array, into: Uint8Array, at: number) => void

/** Pages that are looked at in one go, whatever their size. */
const lookPages = MIB / 4096

/** Room in the kernels' memory for what is found out; hashers of one thread may share it. */
export interface ContentScratch {
  /** Of seed 0: not the session's, which has another one every time. */
  readonly key: number
  readonly flags: number
  readonly words: number
}

/** @throws {LimitError} `NO_ROOM` */
export function allocateContentScratch(kernels: Kernels): ContentScratch {
  const key = kernels.createKey(0n)
  const flags = kernels.allocate(lookPages)
  return { key, flags, words: kernels.allocate(lookPages * 8, 8) }
}

export interface ContentHasherOptions {
  readonly kernels: Kernels
  readonly scratch: ContentScratch
  readonly writeSha: WriteSha
  readonly pageBytes: number
  /** Most pages at a time. */
  readonly pagesMax: number
}

/**
 * Hashes pages that stand one behind the other in the kernels' memory. Nothing is allocated per
 * page: their views are the caller's, who has them once.
 */
export class ContentHasher {
  /** The content hash of the page that {@link finish} was last called for. */
  readonly words: Uint32Array = new Uint32Array(CONTENT_WORDS)
  readonly bytes: Uint8Array = new Uint8Array(this.words.buffer)
  readonly #options: ContentHasherOptions
  readonly #writeSha: WriteSha
  readonly #scratchFlags: Uint8Array
  readonly #scratchWords: Uint32Array
  /** Of pages that were looked at: 1 for zeros, and the low word of XXH3. */
  readonly #flags: Uint8Array
  readonly #quick: Uint32Array

  constructor(options: ContentHasherOptions) {
    const { kernels, scratch, writeSha, pagesMax } = options
    this.#writeSha = writeSha
    this.#options = options
    this.#scratchFlags = kernels.bytes.subarray(scratch.flags, scratch.flags + lookPages)
    this.#scratchWords = new Uint32Array(kernels.bytes.buffer, scratch.words, lookPages * 2)
    this.#flags = new Uint8Array(pagesMax)
    this.#quick = new Uint32Array(pagesMax)
  }

  /**
   * Looks at pages, the last of which may be short: {@link isZero} and {@link quickWord} tell of
   * them from here on.
   *
   * @param at - offset of the first in the kernels' memory
   */
  look(at: number, byteCount: number): void {
    const { kernels, scratch, pageBytes } = this.#options
    const { key, flags, words } = scratch
    const stepBytes = lookPages * pageBytes
    for (let done = 0; done < byteCount; done += stepBytes) {
      const step = Math.min(stepBytes, byteCount - done)
      kernels.pack(at + done, step, pageBytes, flags, key, words)
      const [first, count] = [done / pageBytes, Math.ceil(step / pageBytes)]
      // Faster than `set` of a view, and allocates none.
      for (let i = 0; i < count; i++) {
        this.#flags[first + i] = this.#scratchFlags[i]!
        this.#quick[first + i] = this.#scratchWords[2 * i]!
      }
    }
  }

  /** Whether the `index`th page that was looked at is zeros. */
  isZero(index: number): boolean {
    return this.#flags[index] === 1
  }

  /** The word that finds, of the `index`th page that was looked at. */
  quickWord(index: number): number {
    return this.#quick[index]!
  }

  /** The content hash of that page. @param page - its bytes; native functions take nothing else */
  hashPage(index: number, page: Uint8Array, into: Uint8Array, at: number): void {
    const word = this.quickWord(index)
    into[at] = word
    into[at + 1] = word >>> 8
    into[at + 2] = word >>> 16
    into[at + 3] = word >>> 24
    this.#writeSha(page, into, at + 4)
  }

  /** The same, to {@link words}. */
  finish(index: number, page: Uint8Array): void {
    this.hashPage(index, page, this.bytes, 0)
  }

  /** Whether what was finished is the content hash at `at` of `words`. */
  equals(words: Uint32Array, at: number): boolean {
    for (let i = 0; i < CONTENT_WORDS; i++) if (words[at + i] !== this.words[i]) return false
    return true
  }
}
