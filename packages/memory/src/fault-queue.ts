/**
 * Pages that threads of a guest wait for, on their way to whoever asks the source for them: a ring
 * in memory that all of them share.
 *
 * @module
 */
import { allocateShared } from '@godwit/core'

/**
 * Pages asked for that nobody has taken; a power of two. A thread asks for one at a time, but pages
 * come unasked, too, and then it asks for the next before the last was taken.
 */
const slots = 4096
const bellWord = 0
/** Pages asked for so far, and how many of these were taken; both wrap. */
const ticketWord = 1
const takenWord = 2
const endWord = 3
/** A descriptor that a byte wakes the listener by; 0 where it listens to {@link bellWord} only. */
const descriptorWord = 4
const headWords = 6
/** Bits of the end word. */
const closed = 1
const abandoned = 2

/** Any thread puts, one takes. */
export class FaultQueue {
  readonly words: Int32Array

  /** @param words - of another thread's queue */
  constructor(words?: Int32Array) {
    this.words = words ?? new Int32Array(allocateShared((headWords + slots * 2) * 4).buffer)
  }

  get isClosed(): boolean {
    return Atomics.load(this.words, endWord) !== 0
  }

  get isAbandoned(): boolean {
    return (Atomics.load(this.words, endWord) & abandoned) !== 0
  }

  /**
   * Asks for a page; waits for a free slot, but not when nobody listens any more.
   *
   * @param ring - wakes a listener that waits for a descriptor
   */
  put(region: number, page: number, ring: (descriptor: number) => void): void {
    const { words } = this
    const ticket = this.#takeTicket()
    if (ticket === undefined) return
    const slot = slotOf(ticket)
    Atomics.store(words, slot + 1, page)
    // Last: where this is not 0, the slot is complete.
    Atomics.store(words, slot, region + 1)
    Atomics.add(words, bellWord, 1)
    Atomics.notify(words, bellWord)
    // After the slot is complete: a listener sets it first, and then looks at the slots.
    const descriptor = Atomics.load(words, descriptorWord)
    if (descriptor !== 0) ring(descriptor)
  }

  #takeTicket(): number | undefined {
    const { words } = this
    for (;;) {
      // First: it changes after the end word does, and then there is no waiting for it.
      const taken = Atomics.load(words, takenWord)
      if (this.isClosed) return undefined
      const ticket = Atomics.load(words, ticketWord)
      if (((ticket - taken) | 0) >= slots) Atomics.wait(words, takenWord, taken)
      else if (Atomics.compareExchange(words, ticketWord, ticket, ticket + 1) === ticket) {
        return ticket
      }
    }
  }

  /** Has those who ask write to a descriptor from now on; 0: to none. */
  ringAt(descriptor: number): void {
    Atomics.store(this.words, descriptorWord, descriptor)
  }

  /** Takes all pages that were asked for. One thread at a time. */
  drain(onFault: (region: number, page: number) => void): void {
    const { words } = this
    while (!this.isClosed) {
      const ticket = Atomics.load(words, takenWord)
      const slot = slotOf(ticket)
      const region = Atomics.exchange(words, slot, 0) - 1
      if (region < 0) return
      const page = Atomics.load(words, slot + 1)
      // From here on the slot is another's.
      Atomics.store(words, takenWord, ticket + 1)
      Atomics.notify(words, takenWord)
      onFault(region, page)
    }
  }

  /** Changes with every page that is put. */
  get bell(): number {
    return Atomics.load(this.words, bellWord)
  }

  /** Resolves once {@link bell} is, or was, another. */
  async rung(bell: number): Promise<void> {
    const wait = Atomics.waitAsync(this.words, bellWord, bell)
    if (wait.async) await wait.value
  }

  /** Nobody takes pages any more, since all are there. */
  close(): void {
    this.#end(closed)
  }

  /** Nobody takes pages any more, and those that are missing never come. */
  abandon(): void {
    this.#end(abandoned)
  }

  #end(how: number): void {
    const { words } = this
    Atomics.or(words, endWord, how)
    // Whoever waits for a slot, or is just about to, looks at the end word.
    Atomics.add(words, takenWord, 1)
    Atomics.notify(words, takenWord)
    Atomics.notify(words, bellWord)
  }
}

function slotOf(ticket: number): number {
  return headWords + (ticket & (slots - 1)) * 2
}
