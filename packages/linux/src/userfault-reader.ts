/**
 * Hears of threads that wait for pages behind a userfaultfd.
 *
 * @module
 */
import { constants } from 'node:os'
import { PageStates, type PlacingParts } from '@godwit/core'
import { addressAt } from './address-words.ts'
import { stamp } from './fault-clock.ts'
import { refused, type SystemCalls, UFFD_EVENT_PAGEFAULT } from './system-calls.ts'
import { UserfaultPages } from './userfault-pages.ts'

/** `struct uffd_msg`: 32 bytes, the event in the first, the address of a fault from the 16th on. */
const messageBytes = 32
const addressAtByte = 16
/** More waiting threads than that take one more call. */
const messagesMax = 64

/**
 * The reading half, on one thread: it must never touch the guest's memory, nor wait for a thread
 * that does. Allocates nothing per fault. Its descriptor stays open for as long as it is used.
 */
export class UserfaultReader {
  readonly #calls: SystemCalls
  readonly #parts: PlacingParts
  readonly #states: readonly PageStates[]
  readonly #pages: UserfaultPages
  readonly #messages: Uint8Array = new Uint8Array(messagesMax * messageBytes)
  readonly #words: Uint32Array = new Uint32Array(this.#messages.buffer)

  constructor(calls: SystemCalls, parts: PlacingParts) {
    this.#calls = calls
    this.#parts = parts
    this.#states = parts.regions.map(({ states }) => new PageStates(states))
    this.#pages = new UserfaultPages(calls, parts.descriptor)
  }

  /**
   * Takes all faults there are, without waiting for any.
   *
   * @param onFault - called once for each page, unless it is about to be placed; does not throw
   * @throws {GodwitError} `INTERNAL` with the kernel's reason
   */
  drain(onFault: (region: number, page: number) => void): void {
    for (;;) {
      const found = this.#calls.tryRead(this.#parts.descriptor, this.#messages)
      if (found === -constants.errno.EAGAIN) return
      if (found < 0) throw refused('read of a userfaultfd', -found)
      for (let at = 0; at < found; at += messageBytes) {
        if (this.#messages[at] !== UFFD_EVENT_PAGEFAULT) continue
        this.#take(addressAt(this.#words, (at + addressAtByte) / 4), onFault)
      }
      if (found < this.#messages.length) return
    }
  }

  #take(address: number, onFault: (region: number, page: number) => void): void {
    const { regions, pageBytes } = this.#parts
    const { kernelPageBytes } = this.#calls
    for (let index = 0; index < regions.length; index++) {
      const { start, byteLength, since } = regions[index]!
      const end = start + Math.ceil(byteLength / kernelPageBytes) * kernelPageBytes
      if (address < start || address >= end) continue
      const page = Math.floor((address - start) / pageBytes)
      const states = this.#states[index]!
      if (states.isPresent(page)) {
        // It came meanwhile, or nobody ever touched it and it was not discarded: it is zero.
        this.#pages.zero(address - (address % kernelPageBytes), kernelPageBytes)
        return
      }
      const isAsked = states.request(page)
      Atomics.compareExchange(since, page, 0, stamp())
      if (isAsked) onFault(index, page)
      return
    }
  }
}
