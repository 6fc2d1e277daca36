/**
 * What a `cache` guest says of its pages, and how it does without some.
 *
 * That a guest gives pages up is part of its course, as if it had been a step: so it is written
 * into a log in its memory, from which a run that never moved does the same at the same step.
 *
 * @module
 */
import type { GuestIdentity, PageBitmap, PageClassName, PageClasses } from '@godwit/core'
import { PageBitmap as Bitmap, pagesCovering } from '@godwit/core'
import { WORK_PAGE_BYTES } from './layout.ts'
import {
  type CacheLayout,
  cacheLayoutOf,
  LOG_ENTRIES_MAX,
  LOG_ENTRY_WORDS,
  type SlotState,
  stateOfTag,
} from './page-cache.ts'
import { markerOf, type WorkloadMemory, wordsOf } from './workload-memory.ts'

const pageWords = WORK_PAGE_BYTES / 4
/** What may be given up, as bits in the log. */
const freeBit = 1
const cacheBit = 2
const bits: Readonly<Partial<Record<PageClassName, number>>> = { free: freeBit, cache: cacheBit }
/** Above both. */
const pinnedMark = 4

function maskOf(names: readonly PageClassName[]): number {
  return names.reduce((sum, name) => sum | (bits[name] ?? 0), 0)
}

/** A time when pages were given up. */
export interface Drop {
  /** Of the guest's one thread, by then. */
  readonly steps: number
  readonly pageBytes: number
  readonly names: readonly PageClassName[]
}

/** What was given up so far, in order; of a guest that gives up nothing, nothing. */
export function dropsOf(identity: GuestIdentity, regions: readonly Uint8Array[]): Drop[] {
  if (identity.kind !== 'cache') return []
  const words = wordsOf(regions.at(-1)!)
  const { logPage } = layoutOf(identity, regions)
  const first = logPage * pageWords
  return Array.from({ length: Math.min(words[first]!, LOG_ENTRIES_MAX) }, (_, i) => {
    const at = first + 1 + i * LOG_ENTRY_WORDS
    const steps = (words[at]! >>> 0) + (words[at + 1]! >>> 0) * 2 ** 32
    const names = (['free', 'cache'] as const).filter(
      (name) => (words[at + 3]! & bits[name]!) !== 0,
    )
    return { steps, pageBytes: words[at + 2]!, names }
  })
}

function layoutOf(identity: GuestIdentity, regions: readonly Uint8Array[]): CacheLayout {
  return cacheLayoutOf(
    identity,
    regions.map(({ byteLength }) => byteLength),
  )
}

/** Of the guest in this memory. */
export class CacheClasses implements PageClasses {
  readonly #memory: WorkloadMemory
  readonly #layout: CacheLayout
  readonly #words: Int32Array
  readonly #steps: () => number

  /** @param steps - done so far */
  constructor(identity: GuestIdentity, memory: WorkloadMemory, steps: () => number) {
    this.#memory = memory
    this.#layout = layoutOf(identity, memory.regions)
    this.#words = wordsOf(memory.regions.at(-1)!)
    this.#steps = steps
  }

  addPages(
    names: readonly PageClassName[],
    region: number,
    pageBytes: number,
    into: PageBitmap,
  ): void {
    const isOfCache = region === this.#memory.regions.length - 1
    if (names.every((name) => bits[name] !== undefined)) {
      if (isOfCache) this.#addDroppable(maskOf(names), pageBytes, into)
      return
    }
    for (let page = 0; page < into.pageCount; page++) {
      const found = isOfCache ? this.#classOf(page, pageBytes) : 'anonymous'
      if (names.includes(found)) into.add(page)
    }
  }

  giveUp(names: readonly PageClassName[], pageBytes: number, into: readonly PageBitmap[]): void {
    if (!this.#log(names, pageBytes)) return
    const given = into.at(-1)!
    this.#addDroppable(maskOf(names), pageBytes, given)
    this.#forget(given, pageBytes)
  }

  /** There may be many, and the guest may be waiting: no more than a look at each tag. */
  #addDroppable(mask: number, pageBytes: number, into: PageBitmap): void {
    const { tagPage, slotPage, slotCount } = this.#layout
    const words = this.#words
    const perPage = pageBytes / WORK_PAGE_BYTES
    const firstPage = Math.ceil(slotPage / perPage)
    const endPage = Math.floor((slotPage + slotCount) / perPage)
    let at = tagPage * pageWords + firstPage * perPage - slotPage
    for (let page = firstPage; page < endPage; page++) {
      let all = 0
      for (const end = at + perPage; at < end; at++) {
        const tag = words[at]!
        all |= tag === 0 ? freeBit : tag > 0 ? cacheBit : pinnedMark
      }
      const found = all === freeBit ? freeBit : all < pinnedMark ? cacheBit : 0
      if ((found & mask) !== 0) into.add(page)
    }
  }

  /** @returns whether there was room for another entry */
  #log(names: readonly PageClassName[], pageBytes: number): boolean {
    const { logPage } = this.#layout
    const words = this.#words
    const first = logPage * pageWords
    const count = words[first]!
    if (count >= LOG_ENTRIES_MAX) return false
    const steps = this.#steps()
    const entry = [(steps % 2 ** 32) | 0, Math.floor(steps / 2 ** 32), pageBytes, maskOf(names)]
    words.set(entry, first + 1 + count * LOG_ENTRY_WORDS)
    words[first] = count + 1
    this.#mark(logPage)
    return true
  }

  /** Slots of these pages are free from now on. */
  #forget(given: PageBitmap, pageBytes: number): void {
    const { tagPage, slotPage } = this.#layout
    const words = this.#words
    const perPage = pageBytes / WORK_PAGE_BYTES
    const first = tagPage * pageWords - slotPage
    let marked = -1
    for (let page = given.nextSet(0); page < given.pageCount; page = given.nextSet(page + 1)) {
      for (let at = first + page * perPage; at < first + (page + 1) * perPage; at++) {
        words[at] = 0
        const ofTag = Math.floor(at / pageWords)
        if (ofTag === marked) continue
        // All stores to the page before it is marked.
        if (marked >= 0) this.#mark(marked)
        marked = ofTag
      }
    }
    if (marked >= 0) this.#mark(marked)
  }

  #mark(workPage: number): void {
    markerOf(this.#memory, this.#memory.regions.length - 1)(workPage)
  }

  /** Of a whole page of slots: the one that all have, or `cache` where some are free. */
  #classOf(page: number, pageBytes: number): PageClassName {
    const { tagPage, slotPage, logPage, slotCount } = this.#layout
    const perPage = pageBytes / WORK_PAGE_BYTES
    const first = page * perPage
    const end = first + perPage
    if (end > slotPage + slotCount || end <= logPage) return 'anonymous'
    if (first < slotPage) return 'kernel'
    const at = tagPage * pageWords - slotPage
    let found: SlotState = 'free'
    for (let one = first; one < end && found !== 'pinned'; one++) {
      const state = stateOfTag(this.#words[at + one]!)
      if (state !== 'free') found = state
    }
    return found === 'free' ? 'free' : found === 'cached' ? 'cache' : 'anonymous'
  }
}

/** Gives up the same once more, in a run that never moves: those pages are zero from here on. */
export function dropAgain(
  identity: GuestIdentity,
  memory: WorkloadMemory,
  { steps, names, pageBytes }: Drop,
): void {
  const given = memory.regions.map((bytes) => new Bitmap(pagesCovering(bytes.length, pageBytes)))
  new CacheClasses(identity, memory, () => steps).giveUp(names, pageBytes, given)
  const bytes = memory.regions.at(-1)!
  const last = given.at(-1)!
  for (let page = last.nextSet(0); page < last.pageCount; page = last.nextSet(page + 1)) {
    bytes.fill(0, page * pageBytes, (page + 1) * pageBytes)
  }
}
