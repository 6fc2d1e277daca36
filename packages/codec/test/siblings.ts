/**
 * What two ends know by numbers, and guests and files at the destination that it is taken out of:
 * for tests, which change those as they like.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { NOT_HELD, PageBitmap, allocateShared } from '@godwit/core'
import type { ContentHasher } from '@godwit/kernels'
import { KERNELS_WASM_URL } from '@godwit/kernels'
import { STATIC_HASH_BYTES } from '@godwit/wire'
import { KeyedHasher } from '../src/keyed-hasher.ts'
import { createPrimitives } from '../src/primitives.ts'
import type { ScannedPages } from '../src/scanned-pages.ts'
import { scannedPages } from '../src/scanned-pages.ts'
import type { AgreedSet, StaticIndex, StaticLookup } from '../src/static-index.ts'
import { indexAhead, staticLookup } from '../src/static-index.ts'
import type { HeldSet, StaticContents } from '../src/static-pages.ts'
import { Workspace } from '../src/workspace.ts'
import { memoryFiles } from './memory-files.ts'

const primitives = await createPrimitives({ kernelsWasm: readFileSync(KERNELS_WASM_URL) })

interface Hashing {
  readonly hasher: ContentHasher
  readonly page: Uint8Array
}

/** Of all guests here. */
const guestPagesMax = 200

/** By page size. */
const hashings = new Map<number, Hashing>()

function hashingOf(pageBytes: number): Hashing {
  const made = hashings.get(pageBytes)
  if (made !== undefined) return made
  const workspace = new Workspace(primitives, pageBytes)
  const page = workspace.allocate(pageBytes)
  const hashing = { hasher: workspace.createContentHasher(pageBytes, 1), page }
  hashings.set(pageBytes, hashing)
  return hashing
}

/** The content hash of a page. */
export function contentHashOf(content: Uint8Array): Uint8Array {
  const { hasher, page } = hashingOf(content.length)
  page.set(content)
  hasher.look(page.byteOffset, page.length)
  hasher.finish(0, page)
  return hasher.bytes.slice()
}

/** An entry of a set. */
export interface Entry {
  readonly content: Uint8Array
  /** Where every sample had it. */
  readonly position?: number
  /** What the destination finds it in, and at which page. */
  readonly origin?: number
  readonly page?: number
}

export interface SetOptions {
  readonly by: AgreedSet['by']
  /** Those with a position first, ascending. */
  readonly entries: readonly Entry[]
}

/** Sets, and siblings to take their pages out of: even ones in memory, odd ones in files. */
export class Siblings {
  readonly lookup: StaticLookup | undefined
  /** Of the first set, where it is one to look ahead in. */
  readonly ahead: StaticIndex | undefined
  /** What was found out ahead; nothing up to now. */
  readonly scanned: ScannedPages
  readonly contents: StaticContents
  readonly origins: readonly (Uint8Array | string)[]
  readonly #pageBytes: number

  constructor(
    pageBytes: number,
    pages: number,
    originCount: number,
    sets: readonly SetOptions[],
    entryBytes: 8 | 32 = 8,
  ) {
    this.#pageBytes = pageBytes
    this.origins = Array.from({ length: originCount }, (_, i) => {
      if (i % 2 === 0) return allocateShared(pages * pageBytes)
      memoryFiles.set(`sibling ${i}`, new Uint8Array(pages * pageBytes))
      return `sibling ${i}`
    })
    const made = sets.map((set) => this.#set(set))
    const sum = made.map(({ agreed }) => agreed)
    this.scanned = scannedPages(guestPagesMax, entryBytes)
    this.lookup = staticLookup(sum, this.scanned)
    this.ahead = sum[0] === undefined || sum[0].by === 'keyed' ? undefined : indexAhead(sum[0])
    this.contents = { sets: made.map(({ held }) => held) }
  }

  #set({ by, entries }: SetOptions): { readonly agreed: AgreedSet; readonly held: HeldSet } {
    const hashes = allocateShared(entries.length * 32)
    const places = {
      origins: this.origins,
      origin: new Uint8Array(entries.length).fill(NOT_HELD),
      page: new Uint32Array(entries.length),
    }
    const held = new PageBitmap(entries.length)
    for (const [index, { content, origin, page = 0 }] of entries.entries()) {
      hashes.set(contentHashOf(content), index * 32)
      if (origin === undefined) continue
      held.add(index)
      places.origin[index] = origin
      places.page[index] = page
      this.store(origin, page, content)
    }
    const entryCount = entries.length
    return {
      agreed: by === 'keyed' ? keyed(hashes, held) : mapped(by, entries, hashes, held),
      held: { entryCount, held: { hashes, places } },
    }
  }

  /** Something of a sibling's page becomes other, while nobody knows. */
  store(origin: number, page: number, content: Uint8Array, at = 0): void {
    const rest = this.#bytesOf(origin)?.subarray(page * this.#pageBytes + at)
    rest?.set(content.subarray(0, rest.length))
  }

  /** A file becomes shorter, or goes; memory stays. */
  cut(origin: number, pages: number | undefined): void {
    const place = this.origins[origin]!
    if (typeof place !== 'string') return
    const bytes = memoryFiles.get(place)
    if (pages === undefined) memoryFiles.delete(place)
    else if (bytes) memoryFiles.set(place, bytes.subarray(0, pages * this.#pageBytes - 1))
  }

  #bytesOf(origin: number): Uint8Array | undefined {
    const place = this.origins[origin]!
    return typeof place === 'string' ? memoryFiles.get(place) : place
  }
}

function mapped(
  by: 'position' | 'content',
  entries: readonly Entry[],
  hashes: Uint8Array,
  held: PageBitmap,
): AgreedSet {
  const positions = entries.flatMap(({ position }) => position ?? [])
  return { by, set: { hashes, positions: Uint32Array.from(positions) }, held }
}

function keyed(contentHashes: Uint8Array, held: PageBitmap): AgreedSet {
  const key = new Uint8Array(32).fill(7)
  const hasher = new KeyedHasher(primitives.sha256, key)
  const hashes = allocateShared((contentHashes.length / 32) * STATIC_HASH_BYTES)
  for (let at = 0; at < contentHashes.length; at += 32) {
    hasher.hash(contentHashes.subarray(at, at + 32), hashes, at / 2)
  }
  return { by: 'keyed', key, hashes, held }
}
