/**
 * Distinct contents in the order in which they were first seen, with how many samples had each.
 *
 * @module
 */
import { CONTENT_HASH_BYTES } from '@godwit/core'
import { drawSalts, slotOf } from './content-slot.ts'

const hashWords = CONTENT_HASH_BYTES / 4

/** Found by hashing, in arrays that grow: 44 to 56 bytes per content. */
export class ContentTable {
  #size = 0
  #hashes = new Uint32Array(0)
  /** Of each content: how many samples had it. */
  #counts = new Uint32Array(0)
  /** The last of them, so that it counts once in each. */
  #lastSamples = new Uint32Array(0)
  /** Open addressing: contents plus 1; a power of two, at least half of it 0. */
  #slots = new Uint32Array(2)
  readonly #salts = drawSalts()

  get size(): number {
    return this.#size
  }

  countOf(content: number): number {
    return this.#counts[content]!
  }

  /** All hashes, in order; borrowed until something is added. */
  get hashes(): Uint8Array {
    return new Uint8Array(this.#hashes.buffer, 0, this.#size * CONTENT_HASH_BYTES)
  }

  /** Copies the hash of a content to word `at` of `into`. */
  copyHash(content: number, into: Uint32Array, at: number): void {
    const start = content * hashWords
    for (let i = 0; i < hashWords; i++) into[at + i] = this.#hashes[start + i]!
  }

  /** Makes room for `count` more. */
  reserve(count: number): void {
    const capacity = this.#size + count
    if (capacity <= this.#counts.length) return
    this.#hashes = grown(this.#hashes, capacity * hashWords)
    this.#counts = grown(this.#counts, capacity)
    this.#lastSamples = grown(this.#lastSamples, capacity)
    this.#rehash(capacity)
  }

  /**
   * The content with the hash at word `at` of `hashes`, which is added where it is new. There must
   * be room for it.
   */
  put(hashes: Uint32Array, at: number): number {
    const mask = this.#slots.length - 1
    let slot = slotOf(hashes, at, this.#salts, this.#slots.length)
    for (let held = this.#slots[slot]!; held !== 0; held = this.#slots[slot]!) {
      if (this.#equals(held - 1, hashes, at)) return held - 1
      slot = (slot + 1) & mask
    }
    const content = this.#size++
    const start = content * hashWords
    for (let i = 0; i < hashWords; i++) this.#hashes[start + i] = hashes[at + i]!
    this.#slots[slot] = content + 1
    return content
  }

  /** A sample, numbered from 1 on, has a content. @returns whether that is new */
  count(content: number, sample: number): boolean {
    if (this.#lastSamples[content] === sample) return false
    this.#lastSamples[content] = sample
    this.#counts[content]!++
    return true
  }

  /** Sets how many samples had a content. */
  setCount(content: number, count: number): void {
    this.#counts[content] = count
  }

  /**
   * Keeps some contents, in their order. Between samples: which of them was last is lost.
   *
   * @returns the new number of each, or {@link FORGOTTEN}
   */
  retain(isKept: (content: number) => boolean): Uint32Array {
    const renumbered = new Uint32Array(this.#size).fill(FORGOTTEN)
    let kept = 0
    for (let content = 0; content < this.#size; content++) {
      if (!isKept(content)) continue
      const start = content * hashWords
      this.#hashes.copyWithin(kept * hashWords, start, start + hashWords)
      this.#counts[kept] = this.#counts[content]!
      renumbered[content] = kept++
    }
    this.#counts.fill(0, kept)
    this.#size = kept
    // As many slots as there is room for: `reserve` looks at that alone.
    this.#rehash(this.#counts.length)
    return renumbered
  }

  #equals(content: number, hashes: Uint32Array, at: number): boolean {
    const start = content * hashWords
    for (let i = 0; i < hashWords; i++) {
      if (this.#hashes[start + i] !== hashes[at + i]) return false
    }
    return true
  }

  #rehash(capacity: number): void {
    const slotCount = 2 ** Math.ceil(Math.log2(Math.max(2, capacity * 2)))
    this.#slots = new Uint32Array(slotCount)
    const mask = slotCount - 1
    for (let content = 0; content < this.#size; content++) {
      let slot = slotOf(this.#hashes, content * hashWords, this.#salts, slotCount)
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
      this.#slots[slot] = content + 1
    }
  }
}

/** In what {@link ContentTable.retain} returns: it is gone. */
export const FORGOTTEN = 0xffffffff

function grown(words: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(length)
  larger.set(words)
  return larger
}
