/**
 * Looks for the entries of a static set in pages of a sibling. Only what the set has is ever looked
 * for: what else a sibling holds is compared with nothing, kept nowhere and told to nobody.
 *
 * @module
 */
import type { StaticSet } from '@godwit/core'
import { CONTENT_HASH_BYTES, PageBitmap, allocateShared, entryFrom, wordsOf } from '@godwit/core'
import type { StagedHasher } from './content-hash.ts'
import { PageKind } from './content-hash.ts'
import type { Salts } from './content-slot.ts'
import { drawSalts, slotOf } from './content-slot.ts'

const hashWords = CONTENT_HASH_BYTES / 4

/** Where an entry is not. */
export const NO_PAGE = 0xffffffff

/** By page id: only there may an entry be. By content: anywhere. */
export type SiblingMode = 'position' | 'content'

/** Bits of the filter per entry: of pages that are no entry, so few are hashed needlessly. */
const filterBits = 32

/** A set, made ready to be looked for by several threads. All of it is shared memory. */
export interface SiblingIndex {
  readonly mode: SiblingMode
  readonly set: StaticSet
  /** By content: which first words of hashes there are, as far as so many bits tell. */
  readonly filter: Uint32Array
  /** By content: the first entry of each hash, plus 1; open addressing. */
  readonly heads: Uint32Array
  readonly salts: Salts
  /** By content: per entry the next one with the same hash, plus 1. */
  readonly nexts: Uint32Array
}

/** 16 to 28 bytes per entry beside the set. */
export function indexSet(set: StaticSet, mode: SiblingMode): SiblingIndex {
  const entryCount = mode === 'content' ? set.hashes.length / CONTENT_HASH_BYTES : 0
  const slotCount = 2 ** Math.ceil(Math.log2(Math.max(2, entryCount * 2)))
  const filter = sharedWords((slotCount * filterBits) / 64)
  const bits = new PageBitmap(filter.length * 32, filter)
  const heads = sharedWords(slotCount)
  const salts = drawSalts()
  const nexts = sharedWords(entryCount)
  const hashes = wordsOf(set.hashes)
  const index = { mode, set, filter, heads, salts, nexts }
  for (let entry = entryCount - 1; entry >= 0; entry--) {
    const at = entry * hashWords
    bits.add(hashes[at]! & (bits.pageCount - 1))
    const slot = headSlot(index, hashes, hashes, at)
    nexts[entry] = heads[slot]!
    heads[slot] = entry + 1
  }
  return index
}

/** Per entry, the page of a sibling that has it, or {@link NO_PAGE}; shared memory. */
export function allocateFoundPages({ set }: SiblingIndex): Uint32Array {
  return sharedWords(set.hashes.length / CONTENT_HASH_BYTES).fill(NO_PAGE)
}

/** Looks through what a {@link StagedHasher} has staged. One per thread. */
export class SiblingSearch {
  readonly #index: SiblingIndex
  readonly #hashes: Uint32Array
  readonly #filter: PageBitmap
  readonly #hasher: StagedHasher
  readonly #found: Uint32Array
  readonly #hash = new Uint8Array(CONTENT_HASH_BYTES)
  readonly #hash32 = new Uint32Array(this.#hash.buffer)

  /** @param found - of {@link allocateFoundPages}; threads may share it */
  constructor(index: SiblingIndex, hasher: StagedHasher, found: Uint32Array) {
    this.#index = index
    this.#hashes = wordsOf(index.set.hashes)
    this.#filter = new PageBitmap(index.filter.length * 32, index.filter)
    this.#hasher = hasher
    this.#found = found
  }

  /** Whether any of these pages has to be looked at. */
  wants(firstPage: number, pageCount: number): boolean {
    if (this.#index.mode === 'content') return true
    const { positions } = this.#index.set
    const entry = entryFrom(positions, firstPage)
    return entry < positions.length && positions[entry]! < firstPage + pageCount
  }

  /** Looks at the first `byteCount` staged bytes, which are pages of a sibling. */
  search(byteCount: number, firstPage: number): void {
    const pageCount = this.#hasher.look(byteCount)
    if (this.#index.mode === 'content') this.#searchContents(pageCount, firstPage)
    else this.#searchPositions(pageCount, firstPage)
  }

  #searchContents(pageCount: number, firstPage: number): void {
    const hasher = this.#hasher
    const filter = this.#filter
    const { heads, nexts } = this.#index
    for (let page = 0; page < pageCount; page++) {
      if (hasher.kindOf(page) !== PageKind.content) continue
      if (!filter.has(hasher.wordOf(page) & (filter.pageCount - 1))) continue
      hasher.hashPage(page, this.#hash, 0)
      let held = heads[headSlot(this.#index, this.#hashes, this.#hash32, 0)]!
      // All with the same hash are found together, once.
      if (held !== 0 && this.#found[held - 1] !== NO_PAGE) continue
      for (; held !== 0; held = nexts[held - 1]!) this.#found[held - 1] = firstPage + page
    }
  }

  #searchPositions(pageCount: number, firstPage: number): void {
    const hasher = this.#hasher
    const { positions } = this.#index.set
    for (let entry = entryFrom(positions, firstPage); entry < positions.length; entry++) {
      const page = positions[entry]! - firstPage
      if (page >= pageCount) return
      if (hasher.kindOf(page) !== PageKind.content) continue
      const at = entry * hashWords
      if (hasher.wordOf(page) !== this.#hashes[at]) continue
      hasher.hashPage(page, this.#hash, 0)
      if (isSame(this.#hashes, at, this.#hash32, 0)) this.#found[entry] = firstPage + page
    }
  }
}

/** Where the entries with the hash at word `at` of `words` begin, or would. */
function headSlot(
  { heads, salts }: SiblingIndex,
  hashes: Uint32Array,
  words: Uint32Array,
  at: number,
): number {
  let slot = slotOf(words, at, salts, heads.length)
  for (let held = heads[slot]!; held !== 0; held = heads[slot]!) {
    if (isSame(hashes, (held - 1) * hashWords, words, at)) return slot
    slot = (slot + 1) & (heads.length - 1)
  }
  return slot
}

function isSame(a: Uint32Array, atA: number, b: Uint32Array, atB: number): boolean {
  for (let i = 0; i < hashWords; i++) if (a[atA + i] !== b[atB + i]) return false
  return true
}

function sharedWords(count: number): Uint32Array {
  return new Uint32Array(allocateShared(count * 4).buffer)
}
