/**
 * Which contents need not travel: what a source offers, and what is said to that. The mirror image
 * of the source's file of the same name.
 *
 * A source that has not proved that it has a set hears nothing of it, whether it is known here or
 * not, and one that has hears of this set alone.
 *
 * @module
 */
import type { Clock, StaticReport } from '@godwit/core'
import { CONTENT_HASH_BYTES, NOT_HELD, PageBitmap, fromHex, yieldTo } from '@godwit/core'
import type { HeldSet, Primitives, StaticContents } from '@godwit/codec'
import { KeyedHasher } from '@godwit/codec'
import { isProved, staticKey } from '@godwit/seal'
import { imageEntriesMax, pageCountOf, staticHeldFrames, sumOfMaps } from '@godwit/session'
import type { Hello, Reserve, StaticHeld, StaticOffer, Welcome } from '@godwit/wire'
import { STATIC_ENTRIES_SUM_MAX, STATIC_HASH_BYTES, STATIC_HELD_BYTES_MAX } from '@godwit/wire'
import type { FoundSet, OfferedSet, StaticFinder } from './static-finder.ts'
import { StaticSearch } from './static-search.ts'

/** How long contents are looked for: a source that brings nothing but them has waited in vain. */
export const STATIC_SEARCH_MS_MAX = 10_000

/** What it is made with. */
export interface StaticAgreementParts {
  readonly clock: Clock
  readonly primitives: Primitives
  readonly finder: StaticFinder
  readonly sessionId: string
  /** Sends a frame; `written` is called when the transport has taken it, if it ever does. */
  readonly send: (body: StaticHeld, written: () => void) => void
}

interface Usable {
  readonly one: FoundSet
  /** Its entries that are here. */
  readonly held: PageBitmap
}

/** Of one migration whose source has offered something. */
export class StaticAgreement {
  readonly #parts: StaticAgreementParts
  readonly #offers: readonly StaticOffer[]
  readonly #guest: { readonly pageBytes: number; readonly regions: Reserve['regions'] }
  readonly #pageCount: number
  readonly #offered: readonly OfferedSet[]
  /** Of sets whose secret was proved, by index of the offer. */
  readonly #keys = new Map<number, Uint8Array>()
  readonly #report: StaticReport
  readonly #cancelled = Promise.withResolvers<void>()
  #search: StaticSearch<FoundSet> | undefined
  #found: Promise<readonly Usable[]> | undefined
  #beginMs = 0
  #isCancelled = false
  /** Entries that were told of, or can be. */
  #sum: number

  constructor(parts: StaticAgreementParts, hello: Hello, welcome: Welcome, reserve: Reserve) {
    const { static: offers = [], regions } = reserve
    const { pageBytes } = welcome
    this.#parts = parts
    this.#offers = offers
    this.#guest = { pageBytes, regions }
    this.#pageCount = pageCountOf(regions, pageBytes)
    this.#sum = sumOfMaps(offers)
    this.#report = reportOf(offers)
    const { fingerprintSeed, verifySeed } = hello
    const staticNonce = welcome.staticNonce!
    const session = fromHex(parts.sessionId)
    const mark = { session, fingerprintSeed, verifySeed, staticNonce }
    this.#offered = offers.map((offer, index) => ({
      offer,
      provesSecret: (secret) => {
        const key = staticKey(secret, mark)
        const isRight = isProved(key, offer.proof)
        if (isRight) this.#keys.set(index, key)
        return isRight
      },
    }))
  }

  /** Begins to look, once, while memory is made ready. */
  begin(): void {
    if (this.#search !== undefined || this.#isCancelled) return
    const { clock, finder } = this.#parts
    this.#beginMs = clock.nowMs()
    this.#search = new StaticSearch(clock, STATIC_SEARCH_MS_MAX, (signal) => {
      return finder.find(this.#offered, this.#guest, signal)
    })
    this.#found = this.#look(this.#search)
  }

  /** Nobody waits for it any more. What was found is forgotten: the report outlives it. */
  cancel(): void {
    this.#isCancelled = true
    this.#search?.cancel()
    this.#search = undefined
    this.#found = undefined
    this.#cancelled.resolve()
  }

  /**
   * Says what was found.
   *
   * @returns it, as the source was told; undefined where nothing was
   */
  async tell(): Promise<StaticContents | undefined> {
    this.begin()
    if (this.#search === undefined) return undefined
    const usable = await this.#found
    if (usable === undefined || usable.length === 0) return undefined
    for (const { one, held } of usable) {
      this.#report.heldEntries += held.size
      if (this.#offers[one.index]!.kind === 'map') await this.#tellBits(one.index, held)
      else await this.#tellHashes(one, held)
    }
    const sets = this.#offers.map((offer, index): HeldSet => {
      const one = usable.find((each) => each.one.index === index)?.one
      if (one !== undefined) return { entryCount: entriesOf(one), held: placesOf(one) }
      return { entryCount: offer.kind === 'map' ? offer.entries : 0, held: undefined }
    })
    return { sets }
  }

  /** @param pages - that came by their numbers */
  report(pages: number): StaticReport {
    return { ...this.#report, pages }
  }

  /** What is of use of it: found out while room is still being made. */
  async #look(search: StaticSearch<FoundSet>): Promise<readonly Usable[]> {
    const { found, failure } = await search.result
    this.#report.ms = this.#parts.clock.nowMs() - this.#beginMs
    if (failure !== undefined) this.#report.reason = failure
    return this.#usable(found).map((one) => ({ one, held: heldOf(one) }))
  }

  /** Those that are what was offered, in that order, and of which anything is here. */
  #usable(found: readonly FoundSet[]): readonly FoundSet[] {
    const byIndex = new Map(found.map((one) => [one.index, one]))
    return this.#offers.flatMap((offer, index) => {
      const one = byIndex.get(index)
      if (one === undefined || !this.#keys.has(index)) return []
      const entries = entriesOf(one)
      if (!this.#isOf(offer, one, entries)) {
        this.#report.reason = 'what was found is not what was offered'
        return []
      }
      if (!one.places.origin.some((origin) => origin !== NOT_HELD)) return []
      if (offer.kind === 'image') {
        if (this.#sum + entries > STATIC_ENTRIES_SUM_MAX) return []
        this.#sum += entries
        this.#report.entries += entries
      }
      return [one]
    })
  }

  #isOf(offer: StaticOffer, { set, places }: FoundSet, entries: number): boolean {
    const { origin, page } = places
    if (set.pageBytes !== this.#guest.pageBytes) return false
    if (origin.length !== entries || page.length !== entries) return false
    return offer.kind === 'map'
      ? entries === offer.entries && set.positions.length === offer.positions
      : entries <= imageEntriesMax(this.#pageCount)
  }

  async #tellBits(set: number, held: PageBitmap): Promise<void> {
    for (const frame of staticHeldFrames(held, STATIC_HELD_BYTES_MAX)) {
      await this.#send({ set, ...frame })
    }
  }

  /** Who has the page knows it by its hash; nobody else learns anything by it. */
  async #tellHashes({ index, set }: FoundSet, held: PageBitmap): Promise<void> {
    const { primitives, clock } = this.#parts
    const hasher = new KeyedHasher(primitives.sha256, this.#keys.get(index)!)
    const perFrame = STATIC_HELD_BYTES_MAX / STATIC_HASH_BYTES
    for (let first = 0; first < held.pageCount; first += perFrame) {
      const end = Math.min(held.pageCount, first + perFrame)
      const hashes = new Uint8Array((end - first) * STATIC_HASH_BYTES)
      for (let entry = first; entry < end; entry++) {
        const at = entry * CONTENT_HASH_BYTES
        if (!held.has(entry)) continue
        const content = set.hashes.subarray(at, at + CONTENT_HASH_BYTES)
        hasher.hash(content, hashes, (entry - first) * STATIC_HASH_BYTES)
      }
      await this.#send({ set: index, first, hashes })
      await yieldTo(clock)
    }
  }

  /** One after the other: a source that does not read makes nobody hold all of them. */
  async #send(body: StaticHeld): Promise<void> {
    if (this.#isCancelled) return
    const written = new Promise<void>((resolve) => this.#parts.send(body, resolve))
    await Promise.race([written, this.#cancelled.promise])
  }
}

function entriesOf({ set }: FoundSet): number {
  return set.hashes.length / CONTENT_HASH_BYTES
}

function placesOf({ set, places }: FoundSet): HeldSet['held'] {
  return { hashes: set.hashes, places }
}

function heldOf({ places }: FoundSet): PageBitmap {
  const { origin } = places
  const held = new PageBitmap(origin.length)
  for (let entry = 0; entry < origin.length; entry++) {
    if (origin[entry] !== NOT_HELD) held.add(entry)
  }
  return held
}

function reportOf(offers: readonly StaticOffer[]): StaticReport {
  const counts = { entries: sumOfMaps(offers), heldEntries: 0, pages: 0, ms: 0 }
  const map = offers.find((offer) => offer.kind === 'map')
  if (map === undefined) return counts
  const { mode, os, hypervisor, version: mapVersion } = map
  return { mode, os, hypervisor, mapVersion, ...counts }
}
