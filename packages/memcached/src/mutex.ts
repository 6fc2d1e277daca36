/**
 * Mutual exclusion of threads by one shared word, which is no guest memory: what is moved has never
 * a thread in it.
 *
 * @module
 */

const Free = 0
const Held = 1
/** Held, and somebody may sleep until it is not. */
const Awaited = 2

/**
 * What one holder stored, the next one sees. Whoever throws while holding it is not to release it:
 * what was left half done is then nobody's to see.
 *
 * Source: U. Drepper, "Futexes Are Tricky" (2011), section 5, the mutex of three states.
 */
export class Mutex {
  readonly #words: Int32Array
  readonly #at: number

  /** @param words - shared, and zero before the first is made; the mutex is `words[at]` */
  constructor(words: Int32Array, at: number) {
    this.#words = words
    this.#at = at
  }

  /** Blocks the thread until it is this thread's. Not to be held over an await. */
  take(): void {
    const words = this.#words
    const at = this.#at
    if (Atomics.compareExchange(words, at, Free, Held) === Free) return
    // Who has slept does not know who else does, and leaves it as awaited.
    while (Atomics.exchange(words, at, Awaited) !== Free) Atomics.wait(words, at, Awaited)
  }

  /** Only while it is this thread's. */
  release(): void {
    const words = this.#words
    const at = this.#at
    if (Atomics.exchange(words, at, Free) === Awaited) Atomics.notify(words, at, 1)
  }
}
