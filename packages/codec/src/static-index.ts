/**
 * What a source looks pages up in: contents that the destination says it holds, by number. Plain
 * values and shared memory, for lanes on any thread; made once for all of them.
 *
 * @module
 */
import { CONTENT_HASH_BYTES, PageBitmap, allocateShared, entryFrom, wordsOf } from '@godwit/core'
import type { StaticSet } from '@godwit/core'
import { STATIC_HASH_BYTES } from '@godwit/wire'
import type { ScannedPages } from './scanned-pages.ts'

/** Further than so many steps no entry is put or looked for, whatever hashes a peer may choose. */
const probesMax = 64

/** A map may have a content at many places: so many of its entries are in the table, no more. */
const equalsMax = 8

/** Of {@link StaticIndex.table}. */
const SLOT_WORDS = 2

/** A set that was agreed: numbers of its entries follow those of the set before. */
export type AgreedSet =
  | {
      /** `position`: a page is what samples had at its place; `content`: at any place. */
      readonly by: 'position' | 'content'
      readonly set: Pick<StaticSet, 'hashes' | 'positions'>
      /** Entries that the destination holds. */
      readonly held: PageBitmap
    }
  | {
      /** Entries that are told only to those who have the pages, see `KeyedHasher`. */
      readonly by: 'keyed'
      readonly key: Uint8Array
      /** {@link STATIC_HASH_BYTES} each. */
      readonly hashes: Uint8Array
      readonly held: PageBitmap
    }

/** One set, to be looked up in. */
export interface StaticIndex {
  readonly by: AgreedSet['by']
  /** Number of its first entry, over all sets. */
  readonly base: number
  readonly count: number
  /** Hashes of its entries. */
  readonly words: Uint32Array
  readonly wordsPerEntry: number
  /** A bit for each entry that the destination holds. */
  readonly held: Uint32Array
  /** Where entries are looked up by their positions. */
  readonly positions: Uint32Array
  /**
   * Else, of all entries, held or not, of those with equal hashes some: where the first word of a
   * hash says, or behind, two words a slot: an entry plus one, or 0 for none, and that first word,
   * so that other entries are passed over without a look at them.
   */
  readonly table: Uint32Array
  readonly key: Uint8Array | undefined
}

/** All sets that were agreed. */
export interface StaticLookup {
  readonly indexes: readonly StaticIndex[]
  /** What was found out ahead. */
  readonly scanned?: ScannedPages | undefined
}

/**
 * @param scanned - of the first set
 * @returns undefined when the destination holds nothing of all that: then nothing is looked up
 */
export function staticLookup(
  sets: readonly AgreedSet[],
  scanned?: ScannedPages,
): StaticLookup | undefined {
  let base = 0
  const indexes = sets.map((agreed): StaticIndex => {
    const index = indexOf(agreed, base)
    base += index.count
    return index
  })
  const isAnyHeld = sets.some(({ held }) => held.nextSet(0) < held.pageCount)
  return isAnyHeld ? { indexes, scanned } : undefined
}

/**
 * The first set that is offered, before it is known which of its entries the destination holds: as
 * if it were all.
 */
export function indexAhead(
  agreed: Omit<AgreedSet & { readonly by: 'content' | 'position' }, 'held'>,
): StaticIndex {
  const held = new PageBitmap(agreed.set.hashes.length / CONTENT_HASH_BYTES)
  held.addAll()
  return indexOf({ ...agreed, held }, 0)
}

function indexOf(agreed: AgreedSet, base: number): StaticIndex {
  const { by } = agreed
  const entryBytes = by === 'keyed' ? STATIC_HASH_BYTES : CONTENT_HASH_BYTES
  const hashes = by === 'keyed' ? agreed.hashes : agreed.set.hashes
  const count = hashes.length / entryBytes
  const held = PageBitmap.shared(count)
  held.words.set(agreed.held.words.subarray(0, held.words.length))
  const nothing = new Uint32Array(0)
  return {
    by,
    base,
    count,
    words: wordsOf(hashes),
    wordsPerEntry: entryBytes / 4,
    held: held.words,
    positions: by === 'position' ? agreed.set.positions : nothing,
    table: by === 'position' ? nothing : tableFor(agreed),
    key: by === 'keyed' ? agreed.key : undefined,
  }
}

/** Of sets that do not change: by their hashes, for as long as those are in use. */
const tables = new WeakMap<Uint8Array, Uint32Array>()

function contentTable(hashes: Uint8Array): Uint32Array {
  const known = tables.get(hashes)
  if (known !== undefined) return known
  const table = tableOf(wordsOf(hashes), CONTENT_HASH_BYTES / 4, equalsMax)
  tables.set(hashes, table)
  return table
}

function tableFor(agreed: AgreedSet): Uint32Array {
  // Of these all that are equal are held, or none is: zeros stand for what is not.
  if (agreed.by === 'keyed') return tableOf(wordsOf(agreed.hashes), STATIC_HASH_BYTES / 4, 1)
  return contentTable(agreed.set.hashes)
}

/** Entries by the first words of their hashes, the first `most` of each content. */
function tableOf(words: Uint32Array, wordsPerEntry: number, most: number): Uint32Array {
  const count = words.length / wordsPerEntry
  const size = 2 ** Math.ceil(Math.log2(Math.max(2, 2 * count)))
  const table = new Uint32Array(allocateShared(size * SLOT_WORDS * 4).buffer)
  for (let entry = 0; entry < count; entry++) {
    const at = entry * wordsPerEntry
    const word = words[at]!
    let slot = word & (size - 1)
    let equals = 0
    for (let probes = 0; probes < probesMax; probes++) {
      const other = table[slot * SLOT_WORDS]! - 1
      if (other < 0) {
        table[slot * SLOT_WORDS] = entry + 1
        table[slot * SLOT_WORDS + 1] = word
        break
      }
      if (areEqual(words, at, other * wordsPerEntry, wordsPerEntry) && ++equals === most) break
      slot = (slot + 1) & (size - 1)
    }
  }
  return table
}

function areEqual(words: Uint32Array, a: number, b: number, count: number): boolean {
  for (let i = 0; i < count; i++) if (words[a + i] !== words[b + i]) return false
  return true
}

/** An entry that is held with a hash of `index.wordsPerEntry` words, or -1. */
export function entryOfHash(index: StaticIndex, hash: Uint32Array): number {
  return heldEntry(index, hash, 0)
}

/** An entry that is held and has the hash of `entry`, or -1. By position there is no other. */
export function heldEqual(index: StaticIndex, entry: number): number {
  if (isHeld(index, entry)) return entry
  return index.by === 'position' ? -1 : heldEntry(index, index.words, entry * index.wordsPerEntry)
}

/** @param at - where the hash begins in `words` */
function heldEntry(index: StaticIndex, words: Uint32Array, at: number): number {
  const { table } = index
  const mask = table.length / SLOT_WORDS - 1
  const word = words[at]!
  let slot = word & mask
  for (let probes = 0; probes < probesMax; probes++) {
    const entry = table[slot * SLOT_WORDS]! - 1
    if (entry < 0) return -1
    if (table[slot * SLOT_WORDS + 1] === word && isHeld(index, entry)) {
      if (hasHash(index, entry, words, at)) return entry
    }
    slot = (slot + 1) & mask
  }
  return -1
}

/** Whether any entry that is held may have a hash with this first word. */
export function mayHaveWord(index: StaticIndex, word: number): boolean {
  const { table } = index
  const mask = table.length / SLOT_WORDS - 1
  let slot = word & mask
  for (let probes = 0; probes < probesMax; probes++) {
    const entry = table[slot * SLOT_WORDS]! - 1
    if (entry < 0) return false
    if (table[slot * SLOT_WORDS + 1] === word && isHeld(index, entry)) return true
    slot = (slot + 1) & mask
  }
  return false
}

/** The entry that every sample had at `page`, counted over all regions, or -1. */
export function entryAtPage({ positions }: StaticIndex, page: number): number {
  const entry = entryFrom(positions, page)
  return positions[entry] === page ? entry : -1
}

/** Whether an entry is there, is held, and its hash begins with `word`. */
export function isCandidate(index: StaticIndex, entry: number, word: number): boolean {
  const { count, words, wordsPerEntry } = index
  return (
    entry >= 0 && entry < count && isHeld(index, entry) && words[entry * wordsPerEntry] === word
  )
}

/** Whether the hash of an entry is that at word `at` of `hash`. */
export function hasHash(
  { words, wordsPerEntry }: StaticIndex,
  entry: number,
  hash: Uint32Array,
  at = 0,
): boolean {
  const own = entry * wordsPerEntry
  for (let i = 0; i < wordsPerEntry; i++) if (words[own + i] !== hash[at + i]) return false
  return true
}

export function isHeld({ held }: StaticIndex, entry: number): boolean {
  return ((held[entry >>> 5]! >>> (entry & 31)) & 1) === 1
}
