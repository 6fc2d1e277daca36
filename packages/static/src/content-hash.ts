/**
 * Content hashes of pages, made in memory of the kernels: what is there is private, so a guest may
 * store meanwhile to the pages that were copied.
 *
 * @module
 */
import { CONTENT_HASH_BYTES, MIB, allocateShared } from '@godwit/core'
import type { Kernels } from '@godwit/kernels'

/** What a content hash has of SHA-256: its first bytes. */
export const SHA_BYTES: number = CONTENT_HASH_BYTES - 4

/** Writes the first {@link SHA_BYTES} of the SHA-256 of a page to `into`, from `at` on. */
export type WriteSha = (page: Uint8Array, into: Uint8Array, at: number) => void

/** What a page is to a static set. Only content is ever an entry. */
export const PageKind = {
  content: 0,
  /** Zeros, which cost nothing to send. */
  zero: 1,
  /** The end of a region that is no whole page. */
  short: 2,
} as const

/** Content hashes of a whole guest, its pages counted over all regions. */
export interface PageHashes {
  readonly pageBytes: number
  /** A {@link PageKind} per page; shared memory. */
  readonly kinds: Uint8Array
  /** {@link CONTENT_HASH_BYTES} per page, zeros where it is no content; shared memory. */
  readonly hashes: Uint8Array
}

/** Of pages that are still to be hashed: all short, which is never an entry. */
export function allocatePageHashes(pageCount: number, pageBytes: number): PageHashes {
  const kinds = allocateShared(pageCount).fill(PageKind.short)
  return { pageBytes, kinds, hashes: allocateShared(pageCount * CONTENT_HASH_BYTES) }
}

/** What is staged at a time: a whole number of pages of any size. */
export const STAGED_BYTES: number = MIB
/** Hashes pages that are staged with it; one per thread and size of pages. */
export class ContentHasher {
  readonly pageBytes: number
  /** Pages are put here, from its start on. */
  readonly staging: Uint8Array
  readonly #kernels: Kernels
  readonly #writeSha: WriteSha
  readonly #key: number
  readonly #flags: Uint8Array
  readonly #words: Uint32Array
  /** A view of each page of the staging memory: native functions take nothing else. */
  readonly #pages: readonly Uint8Array[]

  /**
   * @param kernels - with {@link hasherBytes} of memory left
   * @throws {LimitError} `NO_ROOM` when that is not there
   */
  constructor(kernels: Kernels, writeSha: WriteSha, pageBytes: number) {
    const pageCount = STAGED_BYTES / pageBytes
    const at = kernels.allocate(STAGED_BYTES, 64)
    const flags = kernels.allocate(pageCount)
    const words = kernels.allocate(pageCount * 8, 8)
    this.pageBytes = pageBytes
    this.staging = kernels.bytes.subarray(at, at + STAGED_BYTES)
    this.#kernels = kernels
    this.#writeSha = writeSha
    this.#key = kernels.createKey(0n)
    this.#flags = kernels.bytes.subarray(flags, flags + pageCount)
    this.#words = new Uint32Array(kernels.bytes.buffer, words, pageCount * 2)
    this.#pages = Array.from({ length: pageCount }, (_, page) =>
      this.staging.subarray(page * pageBytes, (page + 1) * pageBytes),
    )
  }

  /**
   * Looks at the first `byteCount` staged bytes: {@link kindOf} and {@link wordOf} then tell of
   * their pages.
   *
   * @returns how many pages they are, a short one included
   */
  look(byteCount: number): number {
    const { byteOffset } = this.staging
    const [flags, words] = [this.#flags.byteOffset, this.#words.byteOffset]
    this.#kernels.pack(byteOffset, byteCount, this.pageBytes, flags, this.#key, words)
    const rest = byteCount % this.pageBytes
    const wholeCount = (byteCount - rest) / this.pageBytes
    if (rest !== 0) this.#flags[wholeCount] = PageKind.short
    return rest === 0 ? wholeCount : wholeCount + 1
  }

  /** The {@link PageKind} of a page that was looked at. */
  kindOf(page: number): number {
    return this.#flags[page]!
  }

  /** The first word of the content hash of a page that was looked at. */
  wordOf(page: number): number {
    return this.#words[page * 2]!
  }

  /** The content hash of a page that was looked at: {@link CONTENT_HASH_BYTES} to `into`. */
  hashPage(page: number, into: Uint8Array, at: number): void {
    const word = this.wordOf(page)
    into[at] = word
    into[at + 1] = word >>> 8
    into[at + 2] = word >>> 16
    into[at + 3] = word >>> 24
    this.#writeSha(this.#pages[page]!, into, at + 4)
  }

  /** Looks at the first `byteCount` staged bytes and hashes what is content among them. */
  hashStaged(byteCount: number, into: PageHashes, firstPage: number): void {
    const pageCount = this.look(byteCount)
    for (let page = 0; page < pageCount; page++) {
      const kind = this.#flags[page]!
      into.kinds[firstPage + page] = kind
      const at = (firstPage + page) * CONTENT_HASH_BYTES
      if (kind === PageKind.content) this.hashPage(page, into.hashes, at)
      else into.hashes.fill(0, at, at + CONTENT_HASH_BYTES)
    }
  }

  /** Hashes pages from anywhere, copying them first; `bytes[start, end)` begins with a page. */
  hashPages(
    bytes: Uint8Array,
    start: number,
    end: number,
    into: PageHashes,
    firstPage: number,
  ): void {
    for (let from = start; from < end; from += STAGED_BYTES) {
      const byteCount = Math.min(STAGED_BYTES, end - from)
      this.staging.set(bytes.subarray(from, from + byteCount))
      this.hashStaged(byteCount, into, firstPage + (from - start) / this.pageBytes)
    }
  }
}

/** What a {@link ContentHasher} takes of the kernels' memory, at most. */
export const hasherBytes: number = STAGED_BYTES + 65536
