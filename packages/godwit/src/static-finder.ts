/**
 * Finds what a source offers: in siblings that run here or files of memory, by a map that this side
 * has from elsewhere; or in a stored image of the same guest.
 *
 * @module
 */
import type { FoundSet, OfferedSet, StaticFinder, StaticGuest } from '@godwit/destination'
import { decodeStaticMap } from '@godwit/static'
import type { MapOffer } from '@godwit/wire'
import type { ImageDirectory } from './image-directory.ts'
import { nativeSha256 } from './native-bytes.ts'
import { SiblingCache } from './sibling-cache.ts'
import type { SearchedSibling, Sibling } from './sibling-search.ts'
import { searchSiblings } from './sibling-search.ts'

/** What was found by then is told: less than the time in which a destination must have answered. */
export const SIBLING_SEARCH_MS_MAX = 8000

/** Which map is meant, as a source says it in the clear. */
export interface MapName {
  readonly os: string
  readonly hypervisor: string
  readonly version: number
  readonly pageBytes: number
}

export interface StaticFinderOptions {
  /** Maps that are known here, as `encodeStaticMap` writes them. */
  readonly maps?: readonly Uint8Array[]
  /** Of others, the bytes of a map, or undefined where it is not known. */
  readonly findMap?: (name: MapName) => Promise<Uint8Array | undefined>
  /**
   * Where to look for what is in a map, the best first; a function is asked for each migration. A
   * guest that still lacks pages must not be among them: whoever reads those waits for them.
   */
  readonly siblings?:
    | readonly Sibling[]
    | ((name: MapName) => readonly Sibling[] | Promise<readonly Sibling[]>)
  /** Most time for all siblings; default {@link SIBLING_SEARCH_MS_MAX}. */
  readonly siblingSearchMs?: number
  /** Where images of guests are kept that were here before. */
  readonly images?: ImageDirectory
  /** What siblings were good for, for whoever runs the agent: nothing of it goes to a peer. */
  readonly onSearched?: (siblings: readonly SearchedSibling[]) => void
}

/** For all migrations of a destination: it remembers what it found in files. */
export class NodeStaticFinder implements StaticFinder {
  readonly #options: StaticFinderOptions
  readonly #cache = new SiblingCache()

  constructor(options: StaticFinderOptions) {
    this.#options = options
  }

  /**
   * Looks through files before a source asks, so that no migration waits for that. What changes
   * later is looked through anew.
   *
   * @param map - as `encodeStaticMap` writes it
   * @param files - some of the siblings
   * @param signal - stops it soon
   * @throws {GodwitError} `FILE_UNREADABLE`, `LIMIT_EXCEEDED`: it is none
   */
  async prepare(
    map: Uint8Array,
    files: readonly (Sibling & { readonly file: string })[],
    signal?: AbortSignal,
  ): Promise<void> {
    const known = { cache: this.#cache, ...(signal === undefined ? {} : { signal }) }
    await searchSiblings(decodeStaticMap(map), files, { mode: 'content', ...known })
  }

  /**
   * @param signal - stops it soon
   * @throws what the catalog throws; a sibling or image that cannot be read only holds nothing
   */
  async find(
    offers: readonly OfferedSet[],
    { pageBytes }: StaticGuest,
    signal: AbortSignal,
  ): Promise<readonly FoundSet[]> {
    const found: FoundSet[] = []
    for (const [index, { offer, provesSecret }] of offers.entries()) {
      if (signal.aborted) break
      const one =
        offer.kind === 'map'
          ? await this.#findMap(offer, pageBytes, provesSecret, signal)
          : await this.#findImage(offer.id, pageBytes, provesSecret)
      if (one !== undefined) found.push({ index, ...one })
    }
    return found
  }

  async #findMap(
    { os, hypervisor, version, mode }: MapOffer,
    pageBytes: number,
    provesSecret: (digest: Uint8Array) => boolean,
    signal: AbortSignal,
  ): Promise<Omit<FoundSet, 'index'> | undefined> {
    const { maps = [], findMap, onSearched } = this.#options
    const { siblings = [], siblingSearchMs = SIBLING_SEARCH_MS_MAX } = this.#options
    const name = { os, hypervisor, version, pageBytes }
    const isMeant = (bytes: Uint8Array): boolean => provesSecret(nativeSha256(bytes))
    const bytes = maps.find(isMeant) ?? (await findMap?.(name))
    if (bytes === undefined || !isMeant(bytes)) return undefined
    const set = decodeStaticMap(bytes)
    const late = AbortSignal.timeout(siblingSearchMs)
    const here = typeof siblings === 'function' ? await siblings(name) : siblings
    const options = { mode, signal: AbortSignal.any([signal, late]), cache: this.#cache }
    const finds = await searchSiblings(set, here, options)
    onSearched?.(finds.siblings)
    return { set, places: finds.places }
  }

  async #findImage(
    id: Uint8Array,
    pageBytes: number,
    provesSecret: (token: Uint8Array) => boolean,
  ): Promise<Omit<FoundSet, 'index'> | undefined> {
    const { images, onSearched } = this.#options
    const facts = await images?.find(id)
    const isMeant = facts?.pageBytes === pageBytes && provesSecret(facts.token)
    if (images === undefined || !isMeant) return undefined
    try {
      const { set, places } = await images.load(id)
      return { set, places }
    } catch (thrown) {
      const failure = thrown instanceof Error ? thrown.message : String(thrown)
      onSearched?.([{ name: 'image', heldEntries: 0, failure }])
      return undefined
    }
  }
}
