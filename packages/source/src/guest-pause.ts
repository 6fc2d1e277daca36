/**
 * Stops the guest for the hand-over, and lets it go on where that came to nothing.
 *
 * @module
 */
import type { Guest } from '@godwit/core'

/** Of one migration. */
export class GuestPause {
  readonly #guest: Guest
  readonly #beforeResume: () => void
  #pausing: Promise<void> = Promise.resolve()

  /** @param beforeResume - done before the guest goes on, while it stands still */
  constructor(guest: Guest, beforeResume: () => void) {
    this.#guest = guest
    this.#beforeResume = beforeResume
  }

  /** @param before - what comes right before the guest is asked to stop */
  async pause(before: () => Promise<void>): Promise<void> {
    // All of it: a cancel in the midst resumes the guest when it stands, not before.
    this.#pausing = before().then(() => this.#guest.pause())
    await this.#pausing
  }

  /** A pause that is still on its way ends first, so that it cannot overtake the resume. */
  async resume(): Promise<void> {
    await this.#pausing.catch(() => undefined)
    this.#beforeResume()
    await this.#guest.resume()
  }
}
