/**
 * Time in which the guest's stores are watched and nothing is sent.
 *
 * @module
 */
import type { Clock, GodwitError } from '@godwit/core'

/** One wait, which may be ended before its time, or before it begins. */
export class Watch {
  readonly #over = Promise.withResolvers<void>()

  constructor() {
    // Nobody may wait at all.
    this.#over.promise.catch(() => {})
  }

  async wait(clock: Clock, ms: number): Promise<void> {
    const cancel = clock.after(ms, () => this.end())
    await this.#over.promise.finally(cancel)
  }

  /** @param error - what the wait fails with; without, it is over */
  end(error?: GodwitError): void {
    if (error === undefined) this.#over.resolve()
    else this.#over.reject(error)
  }
}
