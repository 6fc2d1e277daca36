/**
 * Pacing: how long to wait before the next batch, so that a cap on bandwidth holds.
 *
 * @module
 */

import { checkRate } from '@godwit/core'

/**
 * Unused time that may be caught up with. Timers are late by milliseconds; without this the cap
 * would never be reached, with much more of it bursts would break it.
 */
const burstMsDefault = 20

/**
 * A token bucket at the grain of batches, kept as the time at which the bytes sent so far are paid
 * for. Pure: the clock is a parameter.
 */
export class TokenBucket {
  #bytesPerMs: number
  readonly #burstMs: number
  /** Undefined before the first byte: nothing is saved up then. */
  #paidAtMs: number | undefined

  /**
   * @param bytesPerSecond - the cap; `Infinity` for none
   * @param burstMs - unused time that may be caught up with
   * @throws {GodwitError} `USAGE`: a cap of nothing, by which nothing would ever be paid for
   */
  constructor(bytesPerSecond: number, burstMs: number = burstMsDefault) {
    this.#bytesPerMs = checkRate(bytesPerSecond, 'A cap') / 1e3
    this.#burstMs = burstMs
  }

  get bytesPerSecond(): number {
    return this.#bytesPerMs * 1e3
  }

  /** What should be sent at a time: so little that the cap holds for short times, too. */
  get grainBytes(): number {
    return this.#bytesPerMs * this.#burstMs
  }

  /**
   * Changes the cap. What is not paid for yet is paid for at the new one; time that was not used
   * before, perhaps between two rounds, is not caught up with: the new cap holds from here on.
   *
   * @throws {GodwitError} `USAGE`: as above
   */
  change(bytesPerSecond: number, nowMs: number): void {
    const before = this.#bytesPerMs
    this.#bytesPerMs = checkRate(bytesPerSecond, 'A cap') / 1e3
    const debtMs = this.waitMs(nowMs)
    if (debtMs > 0) this.#paidAtMs = nowMs + (debtMs * before) / this.#bytesPerMs
    else this.#paidAtMs = undefined
  }

  /** Milliseconds to wait before anything more may be sent; 0 to send now. */
  waitMs(nowMs: number): number {
    return Math.max(0, (this.#paidAtMs ?? nowMs) - nowMs)
  }

  /** `bytes` were sent. */
  spend(bytes: number, nowMs: number): void {
    if (this.#bytesPerMs === Infinity) return
    const from = Math.max(this.#paidAtMs ?? nowMs, nowMs - this.#burstMs)
    this.#paidAtMs = from + bytes / this.#bytesPerMs
  }
}
