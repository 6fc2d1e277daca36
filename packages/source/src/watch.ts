/**
 * Time in which the guest's stores are watched and nothing is sent.
 *
 * @module
 */
import type { Clock, GodwitError } from '@godwit/core'

/** Waits, one after the other, which may be ended before their time, or before they begin. */
export class Watch {
  #isOver = false
  #error: GodwitError | undefined
  #waiting: PromiseWithResolvers<void> | undefined

  /** Rejects when {@link end} was told an error. */
  async wait(clock: Clock, ms: number): Promise<void> {
    if (this.#error !== undefined) throw this.#error
    if (this.#isOver) return
    this.#waiting = Promise.withResolvers<void>()
    const { promise, resolve } = this.#waiting
    await promise.finally(clock.after(ms, resolve))
  }

  /**
   * What `work` resolves with, or undefined when waits are over. What it rejects with afterwards is
   * nobody's concern. Rejects when {@link end} was told an error.
   */
  async until<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.#error !== undefined) throw this.#error
    if (this.#isOver) return undefined
    this.#waiting = Promise.withResolvers<void>()
    return Promise.race([work(), this.#waiting.promise.then(() => undefined)])
  }

  /**
   * No wait lasts any longer.
   *
   * @param error - what they fail with; without, they are over
   */
  end(error?: GodwitError): void {
    this.#isOver = true
    this.#error ??= error
    if (error === undefined) this.#waiting?.resolve()
    else this.#waiting?.reject(error)
  }
}
