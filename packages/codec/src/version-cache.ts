/**
 * What was last sent of some pages, for deltas: the source's alone, since the destination has the
 * page itself. Bounded; kept in the kernels' memory.
 * After Svard et al. (VEE 2011) and QEMU's XBZRLE; which pages are kept: HMDC (Hu et al., 2013).
 *
 * @module
 */
import type { FingerprintTable } from '@godwit/core'
import type { Workspace } from './workspace.ts'

/** Places of a set, where there is room for so many. */
const waysMax = 8
const noPage = 0xffffffff
/** Rounds after which what was seen counts half. */
const halfLifeRounds = 8

/** What became of the cache; counts since it was made. */
export interface CacheCounts {
  hits: number
  misses: number
  /** Pages that were in the way of none colder, and were not taken in. */
  refused: number
  evicted: number
}

/**
 * A cache of pages by number, eight places for each of many sets. A page comes in where there is
 * room, or where it was dirty in more rounds than the coldest page of its set: a sweep over more
 * than there is room for finds again what is there, instead of always having lost it just before.
 */
export class VersionCache {
  readonly counts: CacheCounts = { hits: 0, misses: 0, refused: 0, evicted: 0 }
  /** Places, each for one page. */
  readonly capacity: number
  readonly #pageBytes: number
  readonly #sets: number
  readonly #ways: number
  readonly #bytes: Uint8Array
  readonly #pages: Uint32Array
  /** First two words of the fingerprint of what is kept. */
  readonly #marks: Uint32Array
  /** Per page of the guest: rounds in which it was dirty, lately. */
  readonly #heat: Uint8Array
  #round = 0
  #used = 0

  /**
   * @param workspace - with room for {@link cacheBytesFor}
   * @param pageCount - of the guest, all regions together
   */
  constructor(workspace: Workspace, cacheBytes: number, pageBytes: number, pageCount: number) {
    this.#pageBytes = pageBytes
    this.#ways = waysFor(cacheBytes, pageBytes)
    this.#sets = setsFor(cacheBytes, pageBytes)
    this.capacity = this.#sets * this.#ways
    this.#bytes = workspace.allocate(this.capacity * pageBytes)
    this.#pages = new Uint32Array(this.capacity).fill(noPage)
    this.#marks = new Uint32Array(this.capacity * 2)
    this.#heat = new Uint8Array(pageCount)
  }

  /** Pages kept. */
  get used(): number {
    return this.#used
  }

  /** The memory of the places. */
  get bytes(): Uint8Array {
    return this.#bytes
  }

  /** Where in {@link bytes} a place begins. */
  offsetOf(place: number): number {
    return place * this.#pageBytes
  }

  /** The page that a place is for; undefined when it is empty. */
  pageAt(place: number): number | undefined {
    const page = this.#pages[place]!
    return page === noPage ? undefined : page
  }

  beginRound(round: number): void {
    if (round === this.#round) return
    this.#round = round
    if (round % halfLifeRounds !== 0) return
    for (let page = 0; page < this.#heat.length; page++) this.#heat[page]! >>>= 1
  }

  /** The page is dirty, or dirty again. */
  touch(page: number): void {
    if (this.#heat[page]! < 255) this.#heat[page]!++
  }

  /**
   * Where the version last sent is kept.
   *
   * @param sent - what the destination holds: a version that another lane has sent since is of no
   *   use any more
   * @param entry - the page's in `sent`
   * @returns a place, or -1
   */
  find(page: number, sent: FingerprintTable, entry: number): number {
    const place = this.placeOf(page)
    if (place < 0 || !this.holds(place, sent, entry)) {
      this.counts.misses++
      return -1
    }
    this.counts.hits++
    return place
  }

  /** Whether a place holds what the fingerprint is of. */
  holds(place: number, sent: FingerprintTable, entry: number): boolean {
    const word = (entry * sent.entryBytes) >>> 2
    return (
      this.#marks[place * 2] === sent.words32[word] &&
      this.#marks[place * 2 + 1] === sent.words32[word + 1]
    )
  }

  /**
   * A place for a page that was just sent: its own, an empty one, or that of a colder page.
   *
   * @returns -1 when there is none
   */
  take(page: number): number {
    const own = this.placeOf(page)
    if (own >= 0) return own
    const first = (page % this.#sets) * this.#ways
    let coldest = -1
    let least = this.#heat[page]!
    for (let place = first; place < first + this.#ways; place++) {
      const other = this.#pages[place]!
      if (other === noPage) {
        this.#used++
        this.#pages[place] = page
        return place
      }
      if (this.#heat[other]! < least) {
        least = this.#heat[other]!
        coldest = place
      }
    }
    if (coldest < 0) {
      this.counts.refused++
      return -1
    }
    this.counts.evicted++
    this.#pages[coldest] = page
    return coldest
  }

  /** Keeps `bytes[at, at + length)` of the same workspace, which has the fingerprint. */
  store(
    place: number,
    bytes: Uint8Array,
    at: number,
    length: number,
    fingerprints: FingerprintTable,
    entry: number,
  ): void {
    const to = place * this.#pageBytes
    this.#bytes.set(bytes.subarray(at, at + length), to)
    const word = (entry * fingerprints.entryBytes) >>> 2
    this.#marks[place * 2] = fingerprints.words32[word]!
    this.#marks[place * 2 + 1] = fingerprints.words32[word + 1]!
  }

  /** The place of a page, whatever it holds; -1 without one. */
  placeOf(page: number): number {
    const first = (page % this.#sets) * this.#ways
    for (let place = first; place < first + this.#ways; place++) {
      if (this.#pages[place] === page) return place
    }
    return -1
  }
}

function waysFor(cacheBytes: number, pageBytes: number): number {
  return Math.min(waysMax, Math.floor(cacheBytes / pageBytes))
}

function setsFor(cacheBytes: number, pageBytes: number): number {
  return Math.max(1, Math.floor(cacheBytes / (pageBytes * waysMax)))
}

/** What a cache takes of a workspace. */
export function cacheBytesFor(cacheBytes: number, pageBytes: number): number {
  return setsFor(cacheBytes, pageBytes) * waysFor(cacheBytes, pageBytes) * pageBytes
}
