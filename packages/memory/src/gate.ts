/**
 * The portable pager: threads of a guest that runs before all of its pages are there enter a page
 * before they touch it, and wait where it is not there yet.
 *
 * @module
 */
import type { DemandPager, FaultReport, FaultSource } from '@godwit/core'
import { FaultLog, GodwitError, PageStates } from '@godwit/core'
import { FaultQueue } from './fault-queue.ts'

/** How long a thread looks on while its page is being installed: sleeping would take as long. */
const lookOnMs = 0.05

/** What threads need of a gate, all of it shared. */
export interface GateMemory {
  /** One word per page, per region. */
  readonly states: readonly Int32Array[]
  readonly queue: Int32Array
  readonly log: Int32Array
}

/** A thread's way to its memory. */
export class Gate {
  readonly #states: readonly PageStates[]
  readonly #queue: FaultQueue
  readonly #log: FaultLog
  readonly #ring: (descriptor: number) => void

  /** @param ring - writes a number of 64 bits to an `eventfd`; the runtime's */
  constructor({ states, queue, log }: GateMemory, ring: (descriptor: number) => void) {
    this.#states = states.map((words) => new PageStates(words))
    this.#queue = new FaultQueue(queue)
    this.#log = new FaultLog(log)
    this.#ring = ring
  }

  /**
   * Returns once the page is there; blocks the thread until then.
   *
   * @throws {GodwitError} `GUEST_FAILED` when the guest was given up meanwhile
   */
  enter(region: number, page: number): void {
    const states = this.#states[region]!
    if (!states.isPresent(page) && !lookOn(states, page)) this.#wait(states, region, page)
  }

  #wait(states: PageStates, region: number, page: number): void {
    const startMs = performance.now()
    const ask = (): void => this.#queue.put(region, page, this.#ring)
    if (!states.wait(page, ask, () => this.#queue.isAbandoned)) {
      throw new GodwitError('GUEST_FAILED', 'The guest was given up before its pages came')
    }
    this.#log.add(performance.now() - startMs)
  }
}

/** A page that is being installed came without a wait for the network. @returns whether it did */
function lookOn(states: PageStates, page: number): boolean {
  if (!states.isArriving(page)) return states.isPresent(page)
  const endMs = performance.now() + lookOnMs
  while (states.isArriving(page)) if (performance.now() > endMs) return false
  return states.isPresent(page)
}

/** The gate of one guest, as its destination sees it. */
export class GatePager implements DemandPager {
  readonly name = 'gate'
  readonly forgets = false
  readonly states: readonly PageStates[]
  readonly #queue = new FaultQueue()
  readonly #log = new FaultLog()
  #onFault: ((region: number, page: number) => void) | undefined

  /** @param pageCounts - of the regions, in order */
  constructor(pageCounts: readonly number[]) {
    this.states = pageCounts.map((pages) => PageStates.shared(pages))
  }

  /** For the guest's threads. */
  get memory(): GateMemory {
    const states = this.states.map(({ words }) => words)
    return { states, queue: this.#queue.words, log: this.#log.words }
  }

  get source(): FaultSource {
    return { pager: 'gate', queue: this.#queue.words }
  }

  get faults(): FaultReport {
    return this.#log.report
  }

  discard(region: number, firstPage: number, endPage: number): void {
    this.states[region]!.discard(firstPage, endPage)
  }

  /** Threads look at every page's state, from the first one on. */
  arm(): void {}

  /** Called again, it is the last one who hears, from the next page on. */
  listen(onFault: (region: number, page: number) => void): void {
    const isFirst = this.#onFault === undefined
    this.#onFault = onFault
    if (isFirst) void this.#listen()
  }

  async #listen(): Promise<void> {
    const queue = this.#queue
    while (!queue.isClosed) {
      const { bell } = queue
      queue.drain((region, page) => this.#onFault!(region, page))
      // Whoever hears may have closed this, and nobody would ring.
      if (queue.isClosed) return
      await queue.rung(bell)
    }
  }

  close(): void {
    this.#queue.close()
  }

  abandon(): void {
    this.#queue.abandon()
    for (const states of this.states) states.wakeAll()
  }
}
