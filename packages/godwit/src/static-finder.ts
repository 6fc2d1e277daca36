/**
 * Finds what a source offers: in siblings that run here or files of memory, by a map that this side
 * has from elsewhere; or in a stored image of the same guest.
 *
 * @module
 */
import { CancelledError, GodwitError } from '@godwit/core'
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

/** A map that is known somewhere. */
export interface KnownMap {
  /** SHA-256 of its bytes, which only who has the map can know. */
  readonly digest: Uint8Array
  /**
   * Its bytes, as `encodeStaticMap` writes them; asked for where the source has it, too. Undefined
   * where it is gone meanwhile.
   */
  readonly load: () => Promise<Uint8Array | undefined>
}

export interface StaticFinderOptions {
  /** Maps that are known here, as `encodeStaticMap` writes them. */
  readonly maps?: readonly Uint8Array[]
  /** Others, or undefined where there is none of that name. */
  readonly findMap?: (name: MapName) => Promise<KnownMap | undefined>
  /**
   * Where to look for what is in a map, the best first; a function is asked for each migration. A
   * guest that still lacks pages must not be among them: whoever reads those waits for them.
   */
  readonly siblings?:
    | readonly Sibling[]
    | ((name: MapName) => readonly Sibling[] | Promise<readonly Sibling[]>)
  /** Most time for all that a source offers; default {@link SIBLING_SEARCH_MS_MAX}. */
  readonly siblingSearchMs?: number
  /** Where images of guests are kept that were here before. */
  readonly images?: ImageDirectory
  /**
   * What siblings were good for, and which sets could not be looked up, for whoever runs the agent:
   * nothing of it goes to a peer.
   */
  readonly onSearched?: (siblings: readonly SearchedSibling[]) => void
}

/** For all migrations of a destination: it remembers what it found in files. */
export class NodeStaticFinder implements StaticFinder {
  readonly #options: StaticFinderOptions
  readonly #cache = new SiblingCache()
  readonly #maps: readonly KnownMap[]

  constructor(options: StaticFinderOptions) {
    const { maps = [] } = options
    this.#options = options
    this.#maps = maps.map((bytes) => ({ digest: nativeSha256(bytes), load: async () => bytes }))
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
   * Images first, which take no time. What cannot be looked up holds nothing, and no other set
   * suffers by it.
   *
   * @param signal - stops it soon
   */
  async find(
    offers: readonly OfferedSet[],
    guest: StaticGuest,
    signal: AbortSignal,
  ): Promise<readonly FoundSet[]> {
    const { siblingSearchMs = SIBLING_SEARCH_MS_MAX, onSearched } = this.#options
    // One for all of them: who offers many has no more time.
    const late = AbortSignal.any([signal, AbortSignal.timeout(siblingSearchMs)])
    const indexed = offers.map((offered, index) => ({ index, ...offered }))
    const isImage = ({ offer }: OfferedSet): boolean => offer.kind === 'image'
    const ordered = [...indexed.filter(isImage), ...indexed.filter((one) => !isImage(one))]
    const found: FoundSet[] = []
    for (const { index, ...offered } of ordered) {
      if (signal.aborted) break
      try {
        const one = await this.#findOne(offered, guest.pageBytes, late)
        if (one !== undefined) found.push({ index, ...one })
      } catch (thrown) {
        const failure = thrown instanceof Error ? thrown.message : String(thrown)
        onSearched?.([{ name: nameOf(offered.offer), heldEntries: 0, failure }])
      }
    }
    return found
  }

  #findOne(
    { offer, provesSecret }: OfferedSet,
    pageBytes: number,
    late: AbortSignal,
  ): Promise<Found | undefined> {
    return offer.kind === 'image'
      ? inTime(this.#findImage(offer.id, pageBytes, provesSecret), late)
      : this.#findMap(offer, pageBytes, provesSecret, late)
  }

  async #findMap(
    { os, hypervisor, version, mode }: MapOffer,
    pageBytes: number,
    provesSecret: OfferedSet['provesSecret'],
    late: AbortSignal,
  ): Promise<Found | undefined> {
    const { findMap, siblings = [], onSearched } = this.#options
    const name = { os, hypervisor, version, pageBytes }
    const isMeant = ({ digest }: KnownMap): boolean => provesSecret(digest)
    let map = this.#maps.find(isMeant)
    if (map === undefined && findMap !== undefined) {
      const other = await inTime(findMap(name), late)
      // Before it is loaded: that costs time, and anybody may ask.
      if (other !== undefined && isMeant(other)) map = other
    }
    const bytes = map && (await inTime(map.load(), late))
    if (map === undefined || bytes === undefined) return undefined
    if (!this.#maps.includes(map)) checkDigest(bytes, map.digest)
    const set = decodeStaticMap(bytes)
    const here =
      typeof siblings === 'function'
        ? await inTime(Promise.resolve(siblings(name)), late)
        : siblings
    const finds = await searchSiblings(set, here, { mode, signal: late, cache: this.#cache })
    onSearched?.(finds.siblings)
    return { set, places: finds.places }
  }

  async #findImage(
    id: Uint8Array,
    pageBytes: number,
    provesSecret: OfferedSet['provesSecret'],
  ): Promise<Found | undefined> {
    const { images } = this.#options
    const facts = await images?.find(id)
    const isMeant = facts?.pageBytes === pageBytes && provesSecret(facts.token)
    if (images === undefined || !isMeant) return undefined
    const { set, places } = await images.load(id)
    return { set, places }
  }
}

type Found = Omit<FoundSet, 'index'>

function nameOf(offer: OfferedSet['offer']): string {
  return offer.kind === 'image' ? 'image' : `the map of ${offer.os} on ${offer.hypervisor}`
}

/** @throws {CancelledError} it took too long */
function inTime<T>(work: Promise<T>, late: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(new CancelledError('there was no time for it'))
    late.addEventListener('abort', stop)
    if (late.aborted) stop()
    void work.then(resolve, reject).finally(() => late.removeEventListener('abort', stop))
  })
}

/** Whose bytes are others would be told of contents that it does not have. */
function checkDigest(bytes: Uint8Array, digest: Uint8Array): void {
  if (Buffer.compare(nativeSha256(bytes), digest) !== 0) {
    throw new GodwitError('FILE_UNREADABLE', 'its bytes have another digest')
  }
}
