/**
 * Which entries of a static set are here already: in the memory of guests that run in this process,
 * or in files of memory. What cannot be looked through holds nothing, and says why.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import type { StaticPlaces, StaticSet } from '@godwit/core'
import {
  CONTENT_HASH_BYTES,
  CancelledError,
  NOT_HELD,
  PageBitmap,
  allocateShared,
  isShared,
  toGodwitError,
} from '@godwit/core'
import type { SiblingIndex, SiblingMode } from '@godwit/static'
import { NO_PAGE, allocateFoundPages, indexSet } from '@godwit/static'
import { PageScanner } from './page-scanner.ts'
import type { OpenSample } from './sample.ts'
import { openSample } from './sample.ts'
import type { SiblingCache } from './sibling-cache.ts'

/** Where to look: the regions of a guest that runs here, or a file of memory. */
export type Sibling =
  | { readonly name: string; readonly regions: readonly Uint8Array[] }
  | {
      readonly file: string
      /** Somebody stores to it by a mapping, which its times do not tell of: a VM's memory. */
      readonly isMapped?: true
    }

/** What a sibling is good for. */
export interface SearchedSibling {
  readonly name: string
  /** Entries that are taken from it; what an earlier one has is not. */
  readonly heldEntries: number
  /** Why it could not be looked through, or not to its end. */
  readonly failure?: string
}

export interface SiblingFinds {
  /** By entry; shared memory. */
  readonly held: PageBitmap
  readonly places: StaticPlaces
  readonly siblings: readonly SearchedSibling[]
}

export interface SearchOptions {
  readonly mode: SiblingMode
  /** Stops it soon: what was found until then is returned. */
  readonly signal?: AbortSignal
  /** Knows files that were looked through before. */
  readonly cache?: SiblingCache
}

/** Looks through siblings in turn, by threads, until everything is found. Never rejects. */
export async function searchSiblings(
  set: StaticSet,
  siblings: readonly Sibling[],
  options: SearchOptions,
): Promise<SiblingFinds> {
  const scanner = new PageScanner(options.signal)
  try {
    const search = new Search(set, scanner, options)
    const searched: SearchedSibling[] = []
    for (const sibling of siblings) searched.push(await search.look(sibling))
    return { ...search.finds, siblings: searched }
  } finally {
    scanner.end()
  }
}

/** What was found in one sibling. */
interface FoundPages {
  /** By entry. */
  readonly pages: Uint32Array
  /** Whether all of it was looked through. */
  readonly isWhole: boolean
}

const cutShort = 'it was not looked through to its end'

class Search {
  readonly finds: { readonly held: PageBitmap; readonly places: StaticPlaces }
  readonly #set: StaticSet
  readonly #scanner: PageScanner
  readonly #options: SearchOptions
  readonly #origins: (Uint8Array | string)[] = []
  #index: SiblingIndex | undefined
  #digest: string | undefined
  #missing: number

  constructor(set: StaticSet, scanner: PageScanner, options: SearchOptions) {
    const entryCount = set.hashes.length / CONTENT_HASH_BYTES
    const page = new Uint32Array(allocateShared(entryCount * 4).buffer)
    const origin = allocateShared(entryCount).fill(NOT_HELD)
    const places = { origins: this.#origins, origin, page }
    this.finds = { held: PageBitmap.shared(entryCount), places }
    this.#set = set
    this.#scanner = scanner
    this.#options = options
    this.#missing = entryCount
  }

  async look(sibling: Sibling): Promise<SearchedSibling> {
    const name = 'file' in sibling ? sibling.file : sibling.name
    try {
      if (this.#missing === 0) return { name, heldEntries: 0 }
      const { heldEntries, isWhole } = await this.#lookAt(sibling)
      return { name, heldEntries, ...(isWhole ? {} : { failure: cutShort }) }
    } catch (thrown) {
      return { name, heldEntries: 0, failure: toGodwitError(thrown).message }
    }
  }

  /** @throws whatever keeps a sibling from being looked through; nothing is held then */
  async #lookAt(sibling: Sibling): Promise<{ heldEntries: number; isWhole: boolean }> {
    const origins = 'file' in sibling ? [sibling.file] : sibling.regions
    if ('regions' in sibling && !sibling.regions.every(isShared)) {
      throw new Error('its memory is not shared')
    }
    // The last number says that an entry is nowhere.
    if (this.#origins.length + origins.length > NOT_HELD) throw new Error('there are too many')
    const sample = await openSample(sibling, this.#set.pageBytes)
    try {
      const isRemembered = !('isMapped' in sibling)
      const { pages, isWhole } = await (isRemembered ? this.#pagesIn(sample) : this.#scan(sample))
      const first = this.#origins.length
      this.#origins.push(...origins)
      return { heldEntries: this.#hold(pages, sample, first), isWhole }
    } finally {
      await sample.close()
    }
  }

  async #pagesIn(sample: OpenSample): Promise<FoundPages> {
    const { cache } = this.#options
    if (sample.file === undefined || cache === undefined) return this.#scan(sample)
    const key = await this.#keyOf(sample.file)
    const known = cache.get(key)
    if (known !== undefined) return { pages: known, isWhole: true }
    const { pages, isWhole } = await this.#scan(sample)
    // Of a file that was written to meanwhile, nothing is known for the next time.
    if (isWhole && (await this.#keyOf(sample.file)) === key) cache.set(key, pages)
    return { pages, isWhole }
  }

  async #scan({ pieces }: OpenSample): Promise<FoundPages> {
    const { mode } = this.#options
    this.#index ??= indexSet(this.#set, mode)
    const index = this.#index
    const pages = allocateFoundPages(index)
    try {
      const work = { kind: 'search', index, found: pages } as const
      await this.#scanner.scan(pieces, this.#set.pageBytes, work)
      return { pages, isWhole: true }
    } catch (thrown) {
      // Nobody waits for the rest. What was found is as good as ever.
      if (thrown instanceof CancelledError) return { pages, isWhole: false }
      throw thrown
    }
  }

  /** A file by what changes when it does, and what is looked for in it. */
  async #keyOf(file: FileHandle): Promise<string> {
    const { hashes, positions, pageBytes } = this.#set
    this.#digest ??= createHash('sha256').update(hashes).update(positions).digest('hex')
    const stats: BigIntStats = await file.stat({ bigint: true })
    const { dev, ino, size, mtimeNs, ctimeNs } = stats
    return [dev, ino, size, mtimeNs, ctimeNs, pageBytes, this.#options.mode, this.#digest].join()
  }

  /** @param first - origin of the first of the sample's pieces */
  #hold(pages: Uint32Array, { pieces }: OpenSample, first: number): number {
    const { held, places } = this.finds
    let heldEntries = 0
    for (let entry = 0; entry < pages.length; entry++) {
      const page = pages[entry]!
      if (page === NO_PAGE || held.has(entry)) continue
      let piece = pieces.length - 1
      while (pieces[piece]!.firstPage > page) piece--
      held.add(entry)
      places.origin[entry] = first + piece
      places.page[entry] = page - pieces[piece]!.firstPage
      heldEntries++
    }
    this.#missing -= heldEntries
    return heldEntries
  }
}
