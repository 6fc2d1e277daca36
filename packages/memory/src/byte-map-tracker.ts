/**
 * Dirty tracking by a write barrier: one byte per page, set by whoever stores to guest memory.
 *
 * The writer's rule is *store the data, then mark*, and the mark is unconditional: reading it first
 * and skipping the store would lose updates on every processor.
 *
 * @module
 */
import type { DirtyTracker, PageBitmap } from '@godwit/core'

/**
 * Marks `page` after a store to it. Portable: on a processor that orders stores (x64) a plain
 * `map[page] = 1` does the same and costs less.
 */
export function markDirty(map: Uint8Array, page: number): void {
  Atomics.store(map, page, 1)
}

/** A byte map shared with the writers. */
export interface ByteMap {
  /** One byte per page, at least `pageCount` long; shared with the writers. */
  readonly map: Uint8Array
  readonly pageCount: number
}

/** Finds dirty pages in a byte map; a clean map costs a quarter of a load per page. */
export class ByteMapTracker implements DirtyTracker {
  readonly name = 'barrier'
  /** More than a region has: 1 GiB of 4 KiB pages takes 0.02 ms when clean and 3 when all dirty. */
  readonly collectPagesMax: number = 1 << 22
  readonly #map: Uint8Array
  readonly #words: Uint32Array
  /** The first page whose byte starts a word, and the one after the last such word. */
  readonly #wordsFrom: number
  readonly #wordsTo: number
  readonly #pageCount: number

  constructor({ map, pageCount }: ByteMap) {
    if (map.length < pageCount) throw new RangeError('the byte map is shorter than the region')
    this.#map = map
    this.#pageCount = pageCount
    this.#wordsFrom = Math.min(pageCount, -map.byteOffset & 3)
    const wordCount = (pageCount - this.#wordsFrom) >>> 2
    this.#wordsTo = this.#wordsFrom + wordCount * 4
    // An empty view must not start beyond the end of the buffer.
    const wordsAt = wordCount === 0 ? 0 : map.byteOffset + this.#wordsFrom
    this.#words = new Uint32Array(map.buffer, wordsAt, wordCount)
  }

  reset(): void {
    this.#sweep(0, this.#pageCount, undefined)
  }

  collect(firstPage: number, pageCount: number, into: PageBitmap): number {
    return this.#sweep(firstPage, Math.min(this.#pageCount, firstPage + pageCount), into)
  }

  #sweep(from: number, to: number, into: PageBitmap | undefined): number {
    let found = 0
    let page = from
    while (page < to) {
      const inWords = page >= this.#wordsFrom && page + 4 <= Math.min(to, this.#wordsTo)
      if (inWords && ((page - this.#wordsFrom) & 3) === 0) {
        page = this.#skipClean(page, to)
        if (page >= to) break
      }
      found += this.#take(page, into)
      page++
    }
    return found
  }

  /** From a page at the start of a word: the first page of the first word with a mark. */
  #skipClean(page: number, to: number): number {
    const words = this.#words
    const end = (Math.min(to, this.#wordsTo) - this.#wordsFrom) >>> 2
    let index = (page - this.#wordsFrom) >>> 2
    while (index < end && words[index] === 0) index++
    return this.#wordsFrom + index * 4
  }

  /**
   * Clears one mark, by an atomic exchange and not by a plain store. The caller copies the page
   * next. A plain store may wait in the store buffer while those later loads go ahead: they read
   * old data, then the writer stores new data and its mark, and then our delayed zero erases that
   * mark; the update is lost. The exchange is a full fence: the zero is visible before any later
   * load, and a mark that it replaced tells that its data can be seen.
   */
  #take(page: number, into: PageBitmap | undefined): number {
    if (this.#map[page] === 0) return 0
    Atomics.exchange(this.#map, page, 0)
    into?.add(page)
    return 1
  }
}
