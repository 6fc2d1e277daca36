/**
 * Keeps a thread awake between reads that follow each other fast.
 *
 * @module
 */

/** Bytes per millisecond from which on waiting costs more than staying awake: 4 Gbit/s. */
const fastBytesPerMs = 500_000
/** How long to stay awake after a read: several times what passes between two at that rate. */
const awakeMs = 0.2
/** Over how long the rate is taken. */
const windowMs = 1

/**
 * A reader that is faster than the network falls asleep after every read, and every packet then
 * has to wake it, at the sender's cost where both are one machine. While bytes come fast, an
 * immediate is pending, so that the event loop looks for input without falling asleep.
 */
export class BusyPoll {
  #windowStartMs = 0
  #windowBytes = 0
  #isFast = false
  #awakeUntilMs = 0
  #isAwake = false
  readonly #tick = (): void => {
    if (performance.now() < this.#awakeUntilMs) setImmediate(this.#tick)
    else this.#isAwake = false
  }

  /** Whether the thread is kept awake. */
  get isAwake(): boolean {
    return this.#isAwake
  }

  /** `byteCount` bytes were read. */
  received(byteCount: number, nowMs: number = performance.now()): void {
    this.#windowBytes += byteCount
    const tookMs = nowMs - this.#windowStartMs
    if (tookMs >= windowMs) {
      this.#isFast = this.#windowBytes >= tookMs * fastBytesPerMs
      this.#windowStartMs = nowMs
      this.#windowBytes = 0
    }
    if (!this.#isFast) return
    this.#awakeUntilMs = nowMs + awakeMs
    if (this.#isAwake) return
    this.#isAwake = true
    setImmediate(this.#tick)
  }
}
