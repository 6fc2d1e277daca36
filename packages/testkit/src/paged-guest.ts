/**
 * A guest none of whose pages are there, its threads, and the hand that brings the pages.
 *
 * @module
 */
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { type DemandPager, pagesCovering } from '@godwit/core'

/** What a pager is to be set up for. */
export interface PagedMemory {
  readonly pageBytes: number
  /** Of the regions, in order. */
  readonly byteLengths: readonly number[]
}

/** A pager, and memory that nobody has touched. */
export interface PagerRig {
  readonly pager: DemandPager
  /** Shared between threads, one per region. */
  readonly memory: readonly Uint8Array[]
  /**
   * What threads do before they touch a page: `new name(argument).enter(region, page)` of the
   * module at `url`. Absent where they just touch it.
   */
  readonly entry?: { readonly url: string; readonly name: string; readonly argument: unknown }
  /** Takes faults, where nothing takes them by itself; called again and again. */
  turn?(): void
  /** Gives everything back; threads have ended, and all pages are there. */
  close?(): void
}

export type PagerSetup = (memory: PagedMemory) => Promise<PagerRig>

/** A page that a thread goes to, and what it must find there. */
export type Visit = readonly [region: number, page: number, content: number]

/**
 * Goes to pages, one after the other, and counts bytes that are not what they should be. Words of
 * `state`: pages visited, wrong bytes. Stores the last byte of a page first, where it stores.
 */
const visitorSource = `
const { parentPort, workerData } = require('node:worker_threads')
const { memory, entry, visits, isStoring, state, pageBytes } = workerData
const visit = (enter) => {
  for (const [region, page, content] of visits) {
    enter(region, page)
    const bytes = memory[region]
    const at = page * pageBytes
    const end = Math.min(at + pageBytes, bytes.length)
    if (isStoring) bytes[end - 1] = 99
    let wrong = 0
    for (let i = at; i < end - 1; i++) if (bytes[i] !== content) wrong++
    if (bytes[end - 1] !== (isStoring ? 99 : content)) wrong++
    Atomics.add(state, 1, wrong)
    Atomics.add(state, 0, 1)
  }
}
if (entry === undefined) visit(() => {})
else import(entry.url).then((module) => {
  const door = new module[entry.name](entry.argument)
  visit((region, page) => door.enter(region, page))
}).catch((error) => parentPort.postMessage(String(error)))
`

/** A thread of the guest. */
export class Visitor {
  readonly ended: Promise<unknown>
  hasEnded = false
  /** What it threw. */
  readonly failures: string[] = []
  readonly #state = new Int32Array(new SharedArrayBuffer(8))

  constructor({ rig, pageBytes }: PagedGuest, visits: readonly Visit[], isStoring: boolean) {
    const { memory, entry } = rig
    const state = this.#state
    const workerData = { memory, entry, visits, isStoring, state, pageBytes }
    const worker = new Worker(visitorSource, { eval: true, workerData })
    worker.on('message', (text: string) => this.failures.push(text))
    worker.on('error', (error) => this.failures.push(String(error)))
    this.ended = once(worker, 'exit').then(() => {
      this.hasEnded = true
    })
  }

  get visited(): number {
    return Atomics.load(this.#state, 0)
  }

  get wrongBytes(): number {
    return Atomics.load(this.#state, 1)
  }
}

/** All pages are discarded, and none comes but by {@link PagedGuest.place}. */
export class PagedGuest {
  readonly rig: PagerRig
  readonly pageBytes: number
  readonly pageCounts: readonly number[]
  /** What the pager's listener heard. */
  readonly heard: [region: number, page: number][] = []
  /** Whether pages are brought as soon as they are asked for. */
  isServing = false
  readonly #visitors: Visitor[] = []
  readonly #patienceMs: number
  /** Pages that come from here are copied from memory at an odd address. */
  readonly #source: Uint8Array

  private constructor(rig: PagerRig, { pageBytes, byteLengths }: PagedMemory, patienceMs: number) {
    this.rig = rig
    this.pageBytes = pageBytes
    this.pageCounts = byteLengths.map((length) => pagesCovering(length, pageBytes))
    this.#patienceMs = patienceMs
    this.#source = new Uint8Array(new SharedArrayBuffer(pageBytes + 1), 1)
  }

  /** @param kept - pages that are not discarded, as `region:page` */
  static async create(
    setup: PagerSetup,
    memory: PagedMemory,
    options: { readonly patienceMs?: number; readonly kept?: readonly string[] } = {},
  ): Promise<PagedGuest> {
    const { patienceMs = 20_000, kept = [] } = options
    const guest = new PagedGuest(await setup(memory), memory, patienceMs)
    const { pager } = guest.rig
    guest.pageCounts.forEach((count, region) => {
      for (let page = 0; page < count; page++) {
        if (!kept.includes(`${region}:${page}`)) pager.discard(region, page, page + 1)
      }
    })
    pager.arm()
    pager.listen((region, page) => {
      guest.heard.push([region, page])
      if (guest.isServing) guest.place(region, page)
    })
    return guest
  }

  /** What a page is to hold; never zero. */
  contentOf(region: number, page: number): number {
    return 1 + ((region * 31 + page * 7) % 90)
  }

  /** Sends a thread to pages of a region, in order. */
  visit(region: number, pages: readonly number[], isStoring = false): Visitor {
    return this.send(
      pages.map((page) => [region, page, this.contentOf(region, page)] as const),
      isStoring,
    )
  }

  send(visits: readonly Visit[], isStoring = false): Visitor {
    const visitor = new Visitor(this, visits, isStoring)
    this.#visitors.push(visitor)
    return visitor
  }

  /** Brings a page, if it is still missing. */
  place(region: number, page: number): void {
    const { states, placers } = this.rig.pager
    if (!states[region]!.claim(page)) return
    const bytes = this.rig.memory[region]!
    const start = page * this.pageBytes
    const length = Math.min(this.pageBytes, bytes.length - start)
    const content = this.contentOf(region, page)
    if (placers === undefined) bytes.fill(content, start, start + length)
    else placers[region]!.put(page, this.#source.fill(content), 0, length)
    states[region]!.arrived(page)
  }

  /** Brings zeros. */
  clear(region: number, firstPage: number, endPage: number): void {
    const { states, placers } = this.rig.pager
    for (let page = firstPage; page < endPage; page++) states[region]!.claim(page)
    const bytes = this.rig.memory[region]!
    if (placers !== undefined) placers[region]!.clear(firstPage, endPage)
    else bytes.fill(0, firstPage * this.pageBytes, endPage * this.pageBytes)
    for (let page = firstPage; page < endPage; page++) states[region]!.arrived(page)
  }

  placeAll(): void {
    this.pageCounts.forEach((count, region) => {
      for (let page = 0; page < count; page++) this.place(region, page)
    })
  }

  /** Waits, while faults are taken. @throws when it takes too long */
  async until(isTrue: () => boolean): Promise<void> {
    const endMs = performance.now() + this.#patienceMs
    while (!isTrue()) {
      if (performance.now() > endMs) throw new Error(`this never came true: ${isTrue.toString()}`)
      this.rig.turn?.()
      await setImmediate()
    }
  }

  /** For what must not happen to have had its chance. */
  async turns(): Promise<void> {
    let left = 50
    await this.until(() => left-- === 0)
  }

  ended(visitors: readonly Visitor[] = this.#visitors): Promise<void> {
    return this.until(() => visitors.every(({ hasEnded }) => hasEnded))
  }

  /** Whatever came of it: nobody waits any longer, and nothing is left. */
  async end(): Promise<void> {
    this.placeAll()
    while (!this.#visitors.every(({ hasEnded }) => hasEnded)) {
      this.rig.turn?.()
      await setImmediate()
    }
    this.rig.pager.close()
    this.rig.close?.()
  }
}
