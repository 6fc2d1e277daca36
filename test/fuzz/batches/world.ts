/**
 * What a destination holds before a batch comes: memory between guards, and a content store.
 *
 * @module
 */
import type { PageHasher } from '@godwit/core'
import { FingerprintTable } from '@godwit/core'
import { seededRandom } from '@godwit/testkit'
import { contentOf } from '../contents.ts'

/** As in the vectors of the conformance suite. */
export const PAGE_BYTES = 4096
export const ROUND = 2
export const STORE_SLOTS = 8
export const SEED: Uint8Array = Uint8Array.of(0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef)
const lengths = [
  [3, 12_388],
  [0, 65_536],
  [7, 4196],
  [65_535, 1],
] as const
/** Odd, so that nothing is aligned. */
const guardBytes = 4099
const guardByte = 0xa5

/** Memory of the guest that is named by its place in the world's bytes. */
export interface Place {
  readonly id: number
  readonly at: number
  readonly byteLength: number
}

/** Regions one behind the other, guards around each. */
export const places: readonly Place[] = lengths.map(([id, byteLength], index) => {
  const before = lengths.slice(0, index).reduce((sum, [, length]) => sum + length + guardBytes, 0)
  return { id, at: guardBytes + before, byteLength }
})

const last = places.at(-1)!
export const WORLD_BYTES: number = last.at + last.byteLength + guardBytes

export function placeOf(id: number): Place | undefined {
  return places.find((place) => place.id === id)
}

export function pagesOf({ byteLength }: Place): number {
  return Math.ceil(byteLength / PAGE_BYTES)
}

export function pageLength({ byteLength }: Place, page: number): number {
  return Math.min(PAGE_BYTES, byteLength - page * PAGE_BYTES)
}

/** A view of a page in bytes that are laid out as the world's. */
export function pageIn(bytes: Uint8Array, place: Place, page: number): Uint8Array {
  const start = place.at + page * PAGE_BYTES
  return bytes.subarray(start, start + pageLength(place, page))
}

/** Guards, and regions of one content; `seed` decides which. */
function filled(seed: number): Uint8Array {
  const random = seededRandom(seed)
  const bytes = new Uint8Array(WORLD_BYTES).fill(guardByte)
  for (const place of places) {
    for (let page = 0; page < pagesOf(place); page++) {
      const length = pageLength(place, page)
      const content = page % 5 === 4 ? new Uint8Array(length) : contentOf(length, random)
      pageIn(bytes, place, page).set(content)
    }
  }
  // Pages that hold the same, in one region and in two.
  const [small, large] = places as [Place, Place]
  pageIn(bytes, large, 2).set(pageIn(bytes, large, 1))
  pageIn(bytes, large, 3).set(pageIn(bytes, small, 0))
  return bytes
}

/** What memory held when the store was filled, and what it holds now. */
export const earlier: Uint8Array = filled(1)
export const present: Uint8Array = filled(2)

/** Page by slot; what is not here is empty. Two are of short pages. */
export const kept: readonly { readonly region: number; readonly page: number }[] = [
  { region: 0, page: 0 },
  { region: 0, page: 1 },
  { region: 3, page: 2 },
  { region: 0, page: 4 },
  { region: 3, page: 3 },
  { region: 7, page: 1 },
  { region: 65_535, page: 0 },
]

/** What a slot holds. */
export function slotContent(slot: number): Uint8Array | undefined {
  const one = kept[slot]
  return one && pageIn(earlier, placeOf(one.region)!, one.page)
}

/** Fingerprints and digests by one hash. */
export class Prints {
  readonly #hasher: PageHasher
  readonly #one: FingerprintTable

  constructor(hasher: PageHasher) {
    this.#hasher = hasher
    this.#one = new FingerprintTable(1, hasher.entryBytes)
  }

  /** Valid until the next call. */
  of(page: Uint8Array): Uint8Array {
    this.#hasher.hashPages(page, 0, page.length, PAGE_BYTES, this.#one, 0)
    return this.#one.bytes
  }

  check(page: Uint8Array): number {
    this.of(page)
    return this.#one.words32[0]!
  }

  /** Of a batch that gives pages this content. */
  digest(pages: readonly Uint8Array[]): bigint {
    if (pages.length === 0) return 0n
    const { entryBytes } = this.#hasher
    const all = new Uint8Array(pages.length * entryBytes)
    for (const [index, page] of pages.entries()) all.set(this.of(page), index * entryBytes)
    const digest = this.#hasher.digest(all)
    return new DataView(digest.buffer, digest.byteOffset).getBigUint64(0, true)
  }
}
