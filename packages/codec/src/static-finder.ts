/**
 * Looks pages up in what the destination holds anyway; for one lane.
 *
 * @module
 */
import type { FingerprintTable } from '@godwit/core'
import type { ContentHasher } from '@godwit/kernels'
import { STATIC_HASH_BYTES } from '@godwit/wire'
import { KeyedHasher } from './keyed-hasher.ts'
import { NOT_SCANNED, ScannedTable } from './scanned-pages.ts'
import type { StaticIndex, StaticLookup } from './static-index.ts'
import {
  entryAtPage,
  entryOfHash,
  hasHash,
  heldEqual,
  isCandidate,
  mayHaveWord,
} from './static-index.ts'
import type { Workspace } from './workspace.ts'

/** A set, and what hashes for it. */
interface Place {
  readonly index: StaticIndex
  readonly keyed: KeyedHasher | undefined
}

/** Of pages that were staged: most are passed over by one word of a hash, the others by SHA-256. */
export class StaticFinder {
  readonly #places: readonly Place[]
  readonly #hasher: ContentHasher
  /** What is known of the first set without a look. */
  readonly #scanned: ScannedTable | undefined
  readonly #stage: Uint8Array
  #stagedBytes = 0
  /** Whether the hasher has looked at what is staged. */
  #isLookedAt = false
  /** Per staged page. */
  readonly #pages: readonly Uint8Array[]
  readonly #keyedBytes = new Uint8Array(STATIC_HASH_BYTES)
  readonly #keyedWords = new Uint32Array(this.#keyedBytes.buffer)
  /** Whether the hasher has finished the page that is looked up. */
  #isHashed = false
  /** Behind the entry that was found last: contents that stand together are found together. */
  #next = 0

  /** @param stage - where pages are looked up, one behind the other from its start on */
  constructor(lookup: StaticLookup, workspace: Workspace, pageBytes: number, stage: Uint8Array) {
    const pagesMax = stage.length / pageBytes
    this.#hasher = workspace.createContentHasher(pageBytes, pagesMax)
    this.#scanned = lookup.scanned && new ScannedTable(lookup.scanned)
    this.#stage = stage
    this.#pages = Array.from({ length: pagesMax }, (_, i) => {
      return stage.subarray(i * pageBytes, (i + 1) * pageBytes)
    })
    this.#places = lookup.indexes.map((index) => {
      const keyed = index.key && new KeyedHasher(workspace.sha256, index.key)
      return { index, keyed }
    })
  }

  /** There are other pages in the first `byteCount` bytes of the stage. */
  look(byteCount: number): void {
    this.#stagedBytes = byteCount
    this.#isLookedAt = false
  }

  /**
   * The number of an entry with the content of a whole page, or -1.
   *
   * @param staged - which of the staged pages
   * @param page - its number in the guest, counted over all regions
   * @param fingerprints - of the session, of the staged pages
   */
  find(staged: number, page: number, fingerprints: FingerprintTable): number {
    this.#isHashed = false
    let scanned = this.#scanned?.entryOf(page, fingerprints, staged) ?? NOT_SCANNED
    for (const place of this.#places) {
      const { index } = place
      const isNew = scanned === NOT_SCANNED
      // What was found out ahead was so as if all of the set were held.
      const known = scanned < 0 ? -1 : heldEqual(index, scanned)
      const entry = isNew ? this.#findIn(place, staged, page) : known
      // It tells of the first set.
      scanned = NOT_SCANNED
      if (entry < 0) continue
      const number = index.base + entry
      this.#next = number + 1
      return number
    }
    return -1
  }

  #findIn({ index, keyed }: Place, staged: number, page: number): number {
    switch (index.by) {
      case 'position': {
        const entry = entryAtPage(index, page)
        return this.#isEntry(index, entry, staged) ? entry : -1
      }
      case 'content': {
        const next = this.#next - index.base
        if (this.#isEntry(index, next, staged)) return next
        if (!mayHaveWord(index, this.#quickWord(staged))) return -1
        return entryOfHash(index, this.#hash(staged))
      }
      case 'keyed':
        this.#hash(staged)
        keyed!.hash(this.#hasher.bytes, this.#keyedBytes)
        return this.#keyedEntry(index)
    }
  }

  #keyedEntry(index: StaticIndex): number {
    const hash = this.#keyedWords
    const next = this.#next - index.base
    if (isCandidate(index, next, hash[0]!) && hasHash(index, next, hash)) return next
    return entryOfHash(index, hash)
  }

  #isEntry(index: StaticIndex, entry: number, staged: number): boolean {
    if (!isCandidate(index, entry, this.#quickWord(staged))) return false
    return hasHash(index, entry, this.#hash(staged))
  }

  /** Of all staged pages at a time, at most once. */
  #quickWord(staged: number): number {
    if (!this.#isLookedAt) this.#hasher.look(this.#stage.byteOffset, this.#stagedBytes)
    this.#isLookedAt = true
    return this.#hasher.quickWord(staged)
  }

  /** The content hash of a staged page, made at most once. */
  #hash(staged: number): Uint32Array {
    this.#quickWord(staged)
    if (!this.#isHashed) this.#hasher.finish(staged, this.#pages[staged]!)
    this.#isHashed = true
    return this.#hasher.words
  }
}
