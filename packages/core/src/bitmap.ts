/**
 * One bit per page of a region.
 *
 * @module
 */
import { allocateShared } from './threads.ts'

/** Number of set bits in a 32-bit word. */
function popcount32(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555)
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333)
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

function wordCountOf(pageCount: number): number {
  return Math.ceil(pageCount / 32)
}

/** A set of page indexes `0 .. pageCount - 1`; 1 bit per page, allocated once. */
export class PageBitmap {
  readonly pageCount: number
  readonly words: Uint32Array

  /** @param words - its memory, of that many bits or a few more; of its own else */
  constructor(pageCount: number, words: Uint32Array = new Uint32Array(wordCountOf(pageCount))) {
    this.pageCount = pageCount
    this.words = words
  }

  /** An empty set that other threads may be given: one stores, or nobody. */
  static shared(pageCount: number): PageBitmap {
    const { buffer } = allocateShared(wordCountOf(pageCount) * 4)
    return new PageBitmap(pageCount, new Uint32Array(buffer))
  }

  has(page: number): boolean {
    return ((this.words[page >>> 5]! >>> (page & 31)) & 1) === 1
  }

  add(page: number): void {
    this.words[page >>> 5]! |= 1 << (page & 31)
  }

  delete(page: number): void {
    this.words[page >>> 5]! &= ~(1 << (page & 31))
  }

  /** Takes a page out of the set. @returns whether this thread did, where several may try */
  claim(page: number): boolean {
    const bit = 1 << (page & 31)
    return (Atomics.and(this.words, page >>> 5, ~bit) & bit) !== 0
  }

  clear(): void {
    this.words.fill(0)
  }

  addAll(): void {
    this.words.fill(0xffffffff)
    const rest = this.pageCount & 31
    if (rest !== 0) this.words[this.words.length - 1] = (1 << rest) - 1
  }

  /** Adds all pages of another set of as many pages. */
  addOthers(other: PageBitmap): void {
    for (let i = 0; i < this.words.length; i++) this.words[i]! |= other.words[i]!
  }

  /** Takes all pages of another set of as many pages out of this one. */
  removeAll(other: PageBitmap): void {
    for (let i = 0; i < this.words.length; i++) this.words[i]! &= ~other.words[i]!
  }

  /** Number of pages in the set. */
  get size(): number {
    let size = 0
    for (let i = 0; i < this.words.length; i++) size += popcount32(this.words[i]!)
    return size
  }

  /** Number of pages in the set among the 32 from `word * 32` on. */
  sizeOfWord(word: number): number {
    return popcount32(this.words[word]!)
  }

  /** The first page in the set at or after `from`; `end` when there is none before it. */
  nextSet(from: number, end: number = this.pageCount): number {
    return this.#next(from, Math.min(end, this.pageCount), 0)
  }

  /** The first page *not* in the set at or after `from`; `end` when there is none before it. */
  nextClear(from: number, end: number = this.pageCount): number {
    return this.#next(from, Math.min(end, this.pageCount), 0xffffffff)
  }

  /** The last page in the set before `end`; -1 when there is none. */
  lastSet(end: number): number {
    let index = (end - 1) >> 5
    if (end <= 0) return -1
    const rest = end & 31
    let word = this.words[index]! & (rest === 0 ? 0xffffffff : (1 << rest) - 1)
    while (word === 0) {
      if (--index < 0) return -1
      word = this.words[index]!
    }
    return index * 32 + (31 - Math.clz32(word))
  }

  #next(from: number, end: number, flip: number): number {
    if (from >= end) return end
    const lastIndex = (end - 1) >>> 5
    let index = from >>> 5
    let word = (this.words[index]! ^ flip) & (0xffffffff << (from & 31))
    while (word === 0) {
      if (++index > lastIndex) return end
      word = this.words[index]! ^ flip
    }
    return Math.min(end, index * 32 + (31 - Math.clz32(word & -word)))
  }
}
