/**
 * The time that a guest has here, where it is limited (`--run-for`): it is stopped then.
 *
 * @module
 */
import type { Clock, FinalState, IncomingGuest } from '@godwit/core'

/** Of one guest. */
export class GuestTime {
  /** Resolves when the guest has been stopped. */
  readonly stopped: Promise<FinalState>
  readonly #cancel: () => void

  /** Begins now. */
  constructor(clock: Clock, guest: IncomingGuest, runForMs: number) {
    const stopped = Promise.withResolvers<FinalState>()
    this.stopped = stopped.promise
    this.#cancel = clock.after(runForMs, () => {
      guest.stop!().then(stopped.resolve, stopped.reject)
    })
  }

  cancel(): void {
    this.#cancel()
  }
}
