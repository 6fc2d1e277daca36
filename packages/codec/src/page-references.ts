/**
 * Finds content that the destination holds already: in another page, or in its store of older
 * versions.
 * After Jain (SHA-256 duplicate suppression), mended: a hit is always told, as a reference, and the
 * contents of round 1 count, too.
 *
 * A fingerprint of 64 bits only finds; whether two pages are the same is decided by their bytes.
 *
 * @module
 */
import type { FingerprintTable } from '@godwit/core'
import { PageBitmap, pagesCovering } from '@godwit/core'
import type { SentPages } from './batch-encoder.ts'
import { ContentIndex } from './content-index.ts'
import { ContentStore } from './content-store.ts'
import type { OpenBatch } from './open-batch.ts'
import { checkOf } from './open-batch.ts'
import type { Workspace } from './workspace.ts'

/** Entries of the index: 16 MiB of them at most, good for 4 GiB of different pages. */
const indexEntriesMax = 1 << 22
/** With one for each, a third would be in the way of others. */
const entriesPerContent = 4

/** What the destination was sent by one lane. */
export class PageReferences {
  readonly store: ContentStore
  readonly #workspace: Workspace
  readonly #pageBytes: number
  readonly #sent: readonly SentPages[]
  /** Number of each region's first page, counted over all regions. */
  readonly #bases: readonly number[]
  readonly #pages: ContentIndex
  readonly #stored: ContentIndex
  /** Fingerprint marks of what is in the store's slots, two words each. */
  readonly #storedMarks: Uint32Array
  /** Per slot 1 when the destination does not have its content before the open batch is closed. */
  readonly #isPending: Uint8Array
  #nextSlot = 0
  /** Those slots. */
  readonly #pendingSlots: number[] = []
  /** Per region: pages sent in this round, in batches that are closed. */
  readonly #sentNow: readonly PageBitmap[]
  #round = 0
  /** One page of guest memory, to be compared with. */
  readonly #other: Uint8Array

  constructor(
    workspace: Workspace,
    pageBytes: number,
    sent: readonly SentPages[],
    storeBytes: number,
  ) {
    this.#workspace = workspace
    this.#pageBytes = pageBytes
    this.#sent = sent
    const counts = sent.map(({ region }) => pagesCovering(region.bytes.length, pageBytes))
    this.#bases = basesOf(counts)
    this.#sentNow = counts.map((count) => new PageBitmap(count))
    const pages = counts.reduce((sum, count) => sum + count, 0)
    this.#pages = new ContentIndex(Math.min(indexEntriesMax, entriesPerContent * pages))
    this.store = new ContentStore(storeBytes, pageBytes)
    this.#stored = new ContentIndex(entriesPerContent * this.store.slotCount)
    this.#storedMarks = new Uint32Array(this.store.slotCount * 2)
    this.#isPending = new Uint8Array(this.store.slotCount)
    this.#other = workspace.allocate(pageBytes)
  }

  beginRound(round: number): void {
    if (round === this.#round) return
    this.#round = round
    for (const bitmap of this.#sentNow) bitmap.clear()
  }

  /** A batch was closed: what is in it may be named from now on. */
  closed(batch: OpenBatch, regionIndex: number): void {
    const base = this.#bases[regionIndex]!
    const sentNow = this.#sentNow[regionIndex]!
    batch.forEachContent((page, fingerprints, entry) => {
      sentNow.add(page)
      this.#pages.set(checkOf(fingerprints, entry), base + page)
    })
  }

  /**
   * Another page with the content of the staged page at `bytes[at, at + length)`.
   *
   * @param dirty - of all regions: those pages are on their way and cannot be named
   * @returns its number counted over all regions, or -1
   */
  findPage(
    page: number,
    fingerprints: FingerprintTable,
    entry: number,
    bytes: Uint8Array,
    at: number,
    length: number,
    dirty: readonly PageBitmap[],
  ): number {
    const found = this.#pages.get(checkOf(fingerprints, entry))
    if (found < 0 || found === page) return -1
    const { region, index } = this.locate(found)
    const other = this.#sent[region]!
    if (!other.fingerprints.equals(index, fingerprints, entry)) return -1
    if (!this.mayName(region, index, dirty)) return -1
    const start = index * this.#pageBytes
    const memory = other.region.bytes
    if (Math.min(this.#pageBytes, memory.length - start) !== length) return -1
    // What is there now, and has the fingerprint of what was sent, is what was sent.
    this.#workspace.copy(this.#other, 0, memory, start, start + length)
    return this.#areEqual(this.#other.byteOffset, bytes.byteOffset + at, length) ? found : -1
  }

  /** Whether the destination holds what was last sent of a page, and will until the round ends. */
  mayName(region: number, index: number, dirty: readonly PageBitmap[]): boolean {
    return !dirty[region]!.has(index) || this.#sentNow[region]!.has(index)
  }

  /** The region and page of a number counted over all regions. */
  locate(page: number): { region: number; index: number } {
    let region = this.#bases.length - 1
    while (this.#bases[region]! > page) region--
    return { region, index: page - this.#bases[region]! }
  }

  baseOf(regionIndex: number): number {
    return this.#bases[regionIndex]!
  }

  /** A slot of the store with the content of the staged page, or -1. */
  findStored(
    fingerprints: FingerprintTable,
    entry: number,
    bytes: Uint8Array,
    at: number,
    length: number,
  ): number {
    const slot = this.#stored.get(checkOf(fingerprints, entry))
    if (slot < 0 || this.#isPending[slot] === 1) return -1
    const word = (entry * fingerprints.entryBytes) >>> 2
    if (this.#storedMarks[slot * 2 + 1] !== fingerprints.words32[word + 1]) return -1
    const kept = this.store.get(slot)
    if (kept === undefined || kept.length !== length) return -1
    this.#other.set(kept)
    return this.#areEqual(this.#other.byteOffset, bytes.byteOffset + at, length) ? slot : -1
  }

  /**
   * Puts an older version into the store, in place of the oldest one there.
   *
   * @param fingerprints - of the version, at `entry`
   * @returns the slot, or -1 without a store
   */
  keep(version: Uint8Array, fingerprints: FingerprintTable, entry: number): number {
    const { slotCount } = this.store
    if (slotCount === 0) return -1
    const slot = this.#nextSlot
    this.#nextSlot = slot + 1 === slotCount ? 0 : slot + 1
    this.store.put(slot, version)
    const word = (entry * fingerprints.entryBytes) >>> 2
    this.#storedMarks[slot * 2] = fingerprints.words32[word]!
    this.#storedMarks[slot * 2 + 1] = fingerprints.words32[word + 1]!
    this.#isPending[slot] = 1
    this.#pendingSlots.push(slot)
    return slot
  }

  /** The batch with the kept pages was closed: they may be named from now on. */
  keptAreThere(): void {
    for (const slot of this.#pendingSlots) {
      this.#isPending[slot] = 0
      this.#stored.set(this.#storedMarks[slot * 2]!, slot)
    }
    this.#pendingSlots.length = 0
  }

  #areEqual(a: number, b: number, length: number): boolean {
    return this.#workspace.kernels.encodeDelta(a, b, length, a, 0) === 0
  }
}

/** What a lane's references take of a workspace. */
export function referenceBytesFor(pageBytes: number): number {
  return pageBytes
}

/** Number of each region's first page. */
export function basesOf(counts: readonly number[]): number[] {
  let base = 0
  return counts.map((count) => {
    const first = base
    base += count
    return first
  })
}
