/**
 * The portable pager: threads of a guest that runs before all of its pages are there enter a page
 * before they touch it, and wait where it is not there yet.
 *
 * @module
 */
import type { DemandPager, FaultReport } from '@godwit/core'
import { FaultLog, GodwitError, PageStates, allocateShared } from '@godwit/core'

/**
 * Pages asked for that the pager has not seen; a power of two. A thread asks for one at a time, but
 * pages come unasked, too, and then it asks for the next before the pager saw the last.
 */
const queueSlots = 4096
const bellWord = 0
/** Pages asked for so far, and how many of these the pager has taken; both wrap. */
const ticketWord = 1
const takenWord = 2
const endWord = 3
const headWords = 4
/** Bits of the end word. */
const closed = 1
const abandoned = 2

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
  readonly #queue: Int32Array
  readonly #log: FaultLog

  constructor({ states, queue, log }: GateMemory) {
    this.#states = states.map((words) => new PageStates(words))
    this.#queue = queue
    this.#log = new FaultLog(log)
  }

  /**
   * Returns once the page is there; blocks the thread until then.
   *
   * @throws {GodwitError} `GUEST_FAILED` when the guest was given up meanwhile
   */
  enter(region: number, page: number): void {
    const states = this.#states[region]!
    if (!states.isPresent(page)) this.#wait(states, region, page)
  }

  #wait(states: PageStates, region: number, page: number): void {
    const startMs = performance.now()
    const isAbandoned = (): boolean => (Atomics.load(this.#queue, endWord) & abandoned) !== 0
    if (!states.wait(page, () => this.#ask(region, page), isAbandoned)) {
      throw new GodwitError('GUEST_FAILED', 'The guest was given up before its pages came')
    }
    this.#log.add(performance.now() - startMs)
  }

  #ask(region: number, page: number): void {
    const queue = this.#queue
    const ticket = this.#takeTicket()
    if (ticket === undefined) return
    const slot = slotOf(ticket)
    Atomics.store(queue, slot + 1, page)
    // Last: where this is not 0, the slot is complete.
    Atomics.store(queue, slot, region + 1)
    Atomics.add(queue, bellWord, 1)
    Atomics.notify(queue, bellWord)
  }

  /** Waits for a free slot; undefined when nobody listens any more. */
  #takeTicket(): number | undefined {
    const queue = this.#queue
    for (;;) {
      // First: it changes after the end word does, and then there is no waiting for it.
      const taken = Atomics.load(queue, takenWord)
      if (Atomics.load(queue, endWord) !== 0) return undefined
      const ticket = Atomics.load(queue, ticketWord)
      if (((ticket - taken) | 0) >= queueSlots) Atomics.wait(queue, takenWord, taken)
      else if (Atomics.compareExchange(queue, ticketWord, ticket, ticket + 1) === ticket) {
        return ticket
      }
    }
  }
}

function slotOf(ticket: number): number {
  return headWords + (ticket & (queueSlots - 1)) * 2
}

/** The gate of one guest, as its destination sees it. */
export class GatePager implements DemandPager {
  readonly name = 'gate'
  readonly forgets = false
  readonly states: readonly PageStates[]
  readonly #queue = new Int32Array(allocateShared((headWords + queueSlots * 2) * 4).buffer)
  readonly #log = new FaultLog()
  #onFault: ((region: number, page: number) => void) | undefined
  #isClosed = false

  /** @param pageCounts - of the regions, in order */
  constructor(pageCounts: readonly number[]) {
    this.states = pageCounts.map((pages) => PageStates.shared(pages))
  }

  /** For the guest's threads. */
  get memory(): GateMemory {
    const states = this.states.map(({ words }) => words)
    return { states, queue: this.#queue, log: this.#log.words }
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
    while (!this.#isClosed) {
      const bell = Atomics.load(this.#queue, bellWord)
      this.#drain()
      // Whoever hears may have closed this, and nobody would ring.
      if (this.#isClosed) return
      const wait = Atomics.waitAsync(this.#queue, bellWord, bell)
      if (wait.async) await wait.value
    }
  }

  #drain(): void {
    const queue = this.#queue
    while (!this.#isClosed) {
      const ticket = Atomics.load(queue, takenWord)
      const slot = slotOf(ticket)
      const region = Atomics.exchange(queue, slot, 0) - 1
      if (region < 0) return
      const page = Atomics.load(queue, slot + 1)
      // From here on the slot is another's.
      Atomics.store(queue, takenWord, ticket + 1)
      Atomics.notify(queue, takenWord)
      this.#onFault?.(region, page)
    }
  }

  close(): void {
    this.#end(closed)
  }

  abandon(): void {
    this.#end(abandoned)
    for (const states of this.states) states.wakeAll()
  }

  #end(how: number): void {
    this.#isClosed = true
    Atomics.or(this.#queue, endWord, how)
    // Whoever waits for a slot, or is just about to, looks at the end word.
    Atomics.add(this.#queue, takenWord, 1)
    Atomics.notify(this.#queue, takenWord)
    Atomics.notify(this.#queue, bellWord)
  }
}
