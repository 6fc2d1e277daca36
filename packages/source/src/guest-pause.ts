/**
 * Stops the guest for the hand-over, and lets it go on where that came to nothing.
 *
 * @module
 */
import type { Guest } from '@godwit/core'

/** What is to be done beside. */
export interface GuestPauseParts {
  /** Before the guest goes on, while it stands still. */
  beforeResume(): void
  /** The guest that should go on does not. */
  notResumed(thrown: unknown): void
}

/** Of one migration. */
export class GuestPause {
  readonly #guest: Guest
  readonly #parts: GuestPauseParts
  #pausing: Promise<void> | undefined
  #isResumed = false

  constructor(guest: Guest, parts: GuestPauseParts) {
    this.#guest = guest
    this.#parts = parts
  }

  /**
   * Once for all who ask.
   *
   * @param before - what comes right before the guest is asked to stop, and right after it has
   */
  async pause(before: () => Promise<void>, after: () => void): Promise<void> {
    // All of it: a cancel in the midst resumes the guest when it stands, not before.
    this.#pausing ??= before()
      .then(() => this.#guest.pause())
      .then(after)
    await this.#pausing
  }

  /**
   * The migration has ended before the guest was to be stopped: it may have been already, or have
   * done so by itself.
   */
  async leave(): Promise<void> {
    const mayStand = this.#pausing !== undefined || this.#guest.nextRound !== undefined
    if (mayStand && !this.#isResumed) await this.resume()
  }

  /** A pause that is still on its way ends first, so that it cannot overtake the resume. */
  async resume(): Promise<void> {
    this.#isResumed = true
    await this.#pausing?.catch(() => undefined)
    await this.#resume()
  }

  async #resume(): Promise<void> {
    try {
      this.#parts.beforeResume()
      await this.#guest.resume()
    } catch (thrown) {
      this.#parts.notResumed(thrown)
    }
  }
}
