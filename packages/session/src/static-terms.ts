/**
 * Contents that need not travel: what a source may offer, and what a destination may say that it
 * holds of that. Pure: whoever watches a session can tell as well as its two ends.
 *
 * @module
 */
import { LimitError, PageBitmap, ProtocolError, pagesOfRegions } from '@godwit/core'
import type { MapOffer, Reserve, StaticHeld, StaticOffer } from '@godwit/wire'
import {
  STATIC_ENTRIES_MAX,
  STATIC_ENTRIES_PER_PAGE_MAX,
  STATIC_ENTRIES_SUM_MAX,
  STATIC_HASH_BYTES,
} from '@godwit/wire'

/**
 * Checks what a source offers.
 *
 * @param isAgreed - the capability `static` holds
 * @throws {ProtocolError} `PROTOCOL_CAPABILITY`: it was not agreed to
 * @throws {LimitError} `LIMIT_EXCEEDED`: more contents than a guest of that size has use for
 */
export function checkStaticOffers(
  { static: offers, regions }: Reserve,
  isAgreed: boolean,
  pageBytes: number,
): void {
  if (offers === undefined) return
  if (!isAgreed) {
    const text = 'The source offers static pages, which were not agreed to'
    throw new ProtocolError('PROTOCOL_CAPABILITY', text)
  }
  const pageCount = pagesOfRegions(regions, pageBytes)
  for (const { entries } of mapsOf(offers)) {
    const maximum = mapEntriesMax(pageCount)
    if (entries > maximum) throw tooMany('staticEntriesMax', entries, maximum)
  }
  checkSum(sumOfMaps(offers))
}

/** A guest of so many pages has no use for a map with more. */
export function mapEntriesMax(pageCount: number): number {
  return Math.min(STATIC_ENTRIES_MAX, pageCount * STATIC_ENTRIES_PER_PAGE_MAX)
}

/** The same of a stored image. */
export function imageEntriesMax(pageCount: number): number {
  return Math.min(STATIC_ENTRIES_MAX, pageCount)
}

function mapsOf(offers: readonly StaticOffer[]): readonly MapOffer[] {
  return offers.filter((offer) => offer.kind === 'map')
}

/** Entries of all maps; an image has as many as the destination tells of. */
export function sumOfMaps(offers: readonly StaticOffer[]): number {
  return mapsOf(offers).reduce((sum, { entries }) => sum + entries, 0)
}

function checkSum(entries: number): void {
  if (entries <= STATIC_ENTRIES_SUM_MAX) return
  throw tooMany('staticEntriesSumMax', entries, STATIC_ENTRIES_SUM_MAX)
}

function tooMany(limit: string, value: number, maximum: number): LimitError {
  const text = `${value} static contents are offered or told of; ${maximum} may be`
  return new LimitError('LIMIT_EXCEEDED', text, { limit, value, maximum })
}

/** Which entries of a set the destination holds. */
export type HeldEntries =
  | { readonly kind: 'map'; readonly held: PageBitmap }
  /** All that it told of. */
  | { readonly kind: 'image'; readonly hashes: Uint8Array }

/** What came of one offer. */
interface Answer {
  readonly kind: StaticOffer['kind']
  readonly entriesMax: number
  /** The entry that the next frame may begin with, or must. */
  next: number
  /** Bits or hashes; as long as what came needs it, or twice. */
  bytes: Uint8Array
}

/** What a destination says between RESERVE and RESERVED. */
export class StaticAnswers {
  readonly #answers: readonly Answer[]
  /** Entries of all sets, so far. */
  #sum: number

  /** @param pageCount - of the guest */
  constructor(offers: readonly StaticOffer[], pageCount: number) {
    this.#sum = sumOfMaps(offers)
    this.#answers = offers.map((offer) => {
      const { kind } = offer
      const most = kind === 'map' ? offer.entries : imageEntriesMax(pageCount)
      return { kind, entriesMax: most, next: 0, bytes: new Uint8Array(0) }
    })
  }

  /**
   * One frame.
   *
   * @throws {ProtocolError} `PROTOCOL_STATE`: of no set that was offered, or not in order
   * @throws {LimitError} `LIMIT_EXCEEDED`: of more entries than there can be
   */
  add({ set, first, held, hashes }: StaticHeld): void {
    const answer = this.#answers[set]
    if (answer?.kind === 'map' && held !== undefined) this.#addBits(answer, first, held)
    else if (answer?.kind === 'image' && hashes !== undefined) {
      this.#addHashes(answer, first, hashes)
    } else throw new ProtocolError('PROTOCOL_STATE', `Set ${set} was not offered like that`)
  }

  #addBits(answer: Answer, first: number, held: Uint8Array): void {
    if (first < answer.next || first % 8 !== 0) throw outOfOrder()
    const end = first + lengthOf(held)
    checkEnd(answer, end)
    append(answer, first / 8, held.subarray(0, Math.ceil((end - first) / 8)))
    answer.next = first + held.length * 8
  }

  #addHashes(answer: Answer, first: number, hashes: Uint8Array): void {
    if (first !== answer.next) throw outOfOrder()
    const count = hashes.length / STATIC_HASH_BYTES
    checkEnd(answer, first + count)
    this.#sum += count
    checkSum(this.#sum)
    append(answer, first * STATIC_HASH_BYTES, hashes)
    answer.next += count
  }

  /** All sets, in the order of the offers. */
  get held(): readonly HeldEntries[] {
    return this.#answers.map(({ kind, entriesMax: entries, next, bytes }) => {
      if (kind === 'image') return { kind, hashes: bytes.slice(0, next * STATIC_HASH_BYTES) }
      const held = new PageBitmap(entries)
      for (const [at, byte] of bytes.entries()) held.words[at >>> 2]! |= byte << ((at & 3) * 8)
      return { kind, held }
    })
  }
}

function outOfOrder(): ProtocolError {
  return new ProtocolError('PROTOCOL_STATE', 'Static contents are told of out of order')
}

function checkEnd({ entriesMax: maximum }: Answer, end: number): void {
  if (end > maximum) throw tooMany('staticEntriesMax', end, maximum)
}

/** Takes memory as more of it comes, not as a peer says that more will. */
function append(answer: Answer, at: number, bytes: Uint8Array): void {
  const end = at + bytes.length
  if (end > answer.bytes.length) {
    const bytesMax = answer.entriesMax * (answer.kind === 'map' ? 1 / 8 : STATIC_HASH_BYTES)
    const larger = new Uint8Array(
      Math.min(Math.ceil(bytesMax), Math.max(end, 2 * answer.bytes.length)),
    )
    larger.set(answer.bytes)
    answer.bytes = larger
  }
  answer.bytes.set(bytes, at)
}

/** Bits up to the last that is set. */
function lengthOf(bytes: Uint8Array): number {
  const last = bytes.findLastIndex((byte) => byte !== 0)
  return last < 0 ? 0 : last * 8 + 32 - Math.clz32(bytes[last]!)
}

/**
 * The bits of a set for STATIC_HELD.
 *
 * @returns per frame its first entry and its bytes; nothing of what is not held
 */
export function staticHeldFrames(
  held: PageBitmap,
  bytesMax: number,
): readonly { readonly first: number; readonly held: Uint8Array }[] {
  const frames: { readonly first: number; readonly held: Uint8Array }[] = []
  for (let entry = held.nextSet(0); entry < held.pageCount; ) {
    const first = entry - (entry % 8)
    const end = Math.min(held.pageCount, first + bytesMax * 8)
    const bytes = new Uint8Array(Math.ceil((held.lastSet(end) + 1 - first) / 8))
    for (let at = 0; at < bytes.length; at++) {
      const bit = first + at * 8
      bytes[at] = held.words[bit >>> 5]! >>> (bit & 31)
    }
    frames.push({ first, held: bytes })
    entry = held.nextSet(end)
  }
  return frames
}
