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
import {
  CONTENT_HASH_BYTES,
  NOT_HELD,
  PageBitmap,
  fromHex,
  pagesOfRegions,
  yieldTo,
} from '@godwit/core'
import type { HeldSet, Primitives, StaticContents } from '@godwit/codec'
import { KeyedHasher } from '@godwit/codec'
import { isProved, staticKey } from '@godwit/seal'
import { imageEntriesMax, staticHeldFrames, sumOfMaps } from '@godwit/session'
import type { Hello, Reserve, StaticHeld, StaticOffer, Welcome } from '@godwit/wire'
import { STATIC_ENTRIES_SUM_MAX, STATIC_HASH_BYTES, STATIC_HELD_BYTES_MAX } from '@godwit/wire'
import { KeyedHashes } from './keyed-hashes.ts'
import type { FoundSet, OfferedSet, StaticFinder } from './static-finder.ts'
import { StaticSearch } from './static-search.ts'

/** How long contents are looked for: a source that brings nothing but them has waited in vain. */
export const STATIC_SEARCH_MS_MAX = 10_000
/** So long after there is room the source has its answer; what was not told by then is not held. */
export const STATIC_ANSWER_MS_MAX = 10_000

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
  /** Of an image: what is told of them. */
  readonly hashes: KeyedHashes | undefined
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
  readonly #stopped = Promise.withResolvers<void>()
  #search: StaticSearch<FoundSet> | undefined
  #found: Promise<readonly Usable[]> | undefined
  #beginMs = 0
  #isCancelled = false
  /** Nothing more is told. */
  #isStopped = false
  /** Entries that were told of, or can be. */
  #sum: number

  constructor(parts: StaticAgreementParts, hello: Hello, welcome: Welcome, reserve: Reserve) {
    const { static: offers = [], regions } = reserve
    const { pageBytes } = welcome
    this.#parts = parts
    this.#offers = offers
    this.#guest = { pageBytes, regions }
    this.#pageCount = pagesOfRegions(regions, pageBytes)
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
    this.#stop()
  }

  #stop(): void {
    this.#isStopped = true
    this.#stopped.resolve()
  }

  /**
   * There is room: says what was found, within {@link STATIC_ANSWER_MS_MAX}.
   *
   * @returns it, as the source was told; undefined where nothing was
   */
  async tell(): Promise<StaticContents | undefined> {
    this.begin()
    if (this.#search === undefined) return undefined
    const cancelDeadline = this.#parts.clock.after(STATIC_ANSWER_MS_MAX, () => this.#stop())
    try {
      const told = await this.#tellAll((await this.#found) ?? [])
      if (told.size === 0 || this.#isCancelled) return undefined
      if (this.#isStopped) this.#report.reason = 'there was no time to tell of all of it'
      const sets = this.#offers.map((offer, index): HeldSet => {
        const known = told.get(index)
        if (known !== undefined) return known
        return { entryCount: offer.kind === 'map' ? offer.entries : 0, held: undefined }
      })
      return { sets }
    } finally {
      cancelDeadline()
    }
  }

  /** @returns by index of the offer, what the source was told of */
  async #tellAll(usable: readonly Usable[]): Promise<ReadonlyMap<number, HeldSet>> {
    const all = new Map<number, HeldSet>()
    for (const { one, held, hashes } of usable) {
      if (this.#isStopped) break
      const { index, set, places } = one
      const told =
        hashes === undefined
          ? await this.#tellBits(index, held)
          : await this.#tellHashes(index, held.pageCount, hashes)
      if (told === 0) continue
      this.#report.heldEntries += countBelow(held, told)
      if (hashes !== undefined) this.#report.entries += told
      // An image has as many entries as were told; a map has its own, whatever was told of them.
      const entryCount = hashes === undefined ? held.pageCount : told
      all.set(index, { entryCount, held: { hashes: set.hashes, places } })
    }
    return all
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
    const usable = this.#usable(found).map((one): Usable => {
      const held = heldOf(one)
      const isImage = this.#offers[one.index]!.kind === 'image'
      return { one, held, hashes: isImage ? this.#hashesOf(one, held) : undefined }
    })
    void this.#hashAhead(usable)
    return usable
  }

  #hashesOf({ index, set }: FoundSet, held: PageBitmap): KeyedHashes {
    const hasher = new KeyedHasher(this.#parts.primitives.sha256, this.#keys.get(index)!)
    return new KeyedHashes(set, held, hasher)
  }

  /** While room is made: whoever waits for it waits for less then. */
  async #hashAhead(usable: readonly Usable[]): Promise<void> {
    for (const { hashes } of usable) {
      while (hashes?.isComplete === false && !this.#isStopped) {
        hashes.step()
        await yieldTo(this.#parts.clock)
      }
    }
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

  /** @returns up to which entry was told */
  async #tellBits(set: number, held: PageBitmap): Promise<number> {
    let told = 0
    for (const frame of staticHeldFrames(held, STATIC_HELD_BYTES_MAX)) {
      if (this.#isStopped) break
      await this.#send({ set, ...frame })
      told = Math.min(held.pageCount, frame.first + frame.held.length * 8)
    }
    return told
  }

  /**
   * Who has the page knows it by its hash; nobody else learns anything by it.
   *
   * @returns up to which entry was told
   */
  async #tellHashes(set: number, entryCount: number, hashes: KeyedHashes): Promise<number> {
    const perFrame = STATIC_HELD_BYTES_MAX / STATIC_HASH_BYTES
    for (let first = 0; first < entryCount; first += perFrame) {
      const end = Math.min(entryCount, first + perFrame)
      while (hashes.count < end) {
        if (this.#isStopped) return first
        hashes.step()
        await yieldTo(this.#parts.clock)
      }
      if (this.#isStopped) return first
      await this.#send({ set, first, hashes: hashes.slice(first, end) })
    }
    return entryCount
  }

  /** One after the other: a source that does not read makes nobody hold all of them. */
  async #send(body: StaticHeld): Promise<void> {
    const written = new Promise<void>((resolve) => this.#parts.send(body, resolve))
    await Promise.race([written, this.#stopped.promise])
  }
}

function entriesOf({ set }: FoundSet): number {
  return set.hashes.length / CONTENT_HASH_BYTES
}

function heldOf({ places }: FoundSet): PageBitmap {
  const { origin } = places
  const held = new PageBitmap(origin.length)
  for (let entry = 0; entry < origin.length; entry++) {
    if (origin[entry] !== NOT_HELD) held.add(entry)
  }
  return held
}

function countBelow(held: PageBitmap, end: number): number {
  let count = 0
  for (let entry = held.nextSet(0); entry < end; entry = held.nextSet(entry + 1)) count++
  return count
}

function reportOf(offers: readonly StaticOffer[]): StaticReport {
  const counts = { entries: sumOfMaps(offers), heldEntries: 0, pages: 0, ms: 0 }
  const map = offers.find((offer) => offer.kind === 'map')
  if (map === undefined) return counts
  const { mode, os, hypervisor, version: mapVersion } = map
  return { mode, os, hypervisor, mapVersion, ...counts }
}
