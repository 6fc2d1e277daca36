/**
 * Content hashes of pages, made in memory of the kernels: what is there is private, so a guest may
 * store meanwhile to the pages that were copied.
 *
 * @module
 */
import { CONTENT_HASH_BYTES, MIB, allocateShared } from '@godwit/core'
import type { Kernels, WriteSha } from '@godwit/kernels'
import { ContentHasher, allocateContentScratch } from '@godwit/kernels'

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
export class StagedHasher {
  readonly pageBytes: number
  /** Pages are put here, from its start on. */
  readonly staging: Uint8Array
  readonly #hasher: ContentHasher
  /** A view of each page of the staging memory. */
  readonly #pages: readonly Uint8Array[]
  /** Of the pages that were looked at, which of them is short. */
  #shortPage = -1

  /**
   * @param kernels - with {@link hasherBytes} of memory left
   * @throws {LimitError} `NO_ROOM` when that is not there
   */
  constructor(kernels: Kernels, writeSha: WriteSha, pageBytes: number) {
    const pagesMax = STAGED_BYTES / pageBytes
    const at = kernels.allocate(STAGED_BYTES, 64)
    const scratch = allocateContentScratch(kernels)
    this.pageBytes = pageBytes
    this.staging = kernels.bytes.subarray(at, at + STAGED_BYTES)
    this.#hasher = new ContentHasher({ kernels, scratch, writeSha, pageBytes, pagesMax })
    this.#pages = Array.from({ length: pagesMax }, (_, page) =>
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
    this.#hasher.look(this.staging.byteOffset, byteCount)
    const wholeCount = Math.floor(byteCount / this.pageBytes)
    const isWhole = byteCount === wholeCount * this.pageBytes
    this.#shortPage = isWhole ? -1 : wholeCount
    return isWhole ? wholeCount : wholeCount + 1
  }

  /** The {@link PageKind} of a page that was looked at. */
  kindOf(page: number): number {
    if (page === this.#shortPage) return PageKind.short
    return this.#hasher.isZero(page) ? PageKind.zero : PageKind.content
  }

  /** The first word of the content hash of a page that was looked at. */
  wordOf(page: number): number {
    return this.#hasher.quickWord(page)
  }

  /** The content hash of a page that was looked at: {@link CONTENT_HASH_BYTES} to `into`. */
  hashPage(page: number, into: Uint8Array, at: number): void {
    this.#hasher.hashPage(page, this.#pages[page]!, into, at)
  }

  /** Looks at the first `byteCount` staged bytes and hashes what is content among them. */
  hashStaged(byteCount: number, into: PageHashes, firstPage: number): void {
    const pageCount = this.look(byteCount)
    for (let page = 0; page < pageCount; page++) {
      const kind = this.kindOf(page)
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

/** What a {@link StagedHasher} takes of the kernels' memory, at most. */
export const hasherBytes: number = STAGED_BYTES + 65536
