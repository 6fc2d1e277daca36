/**
 * Stops the guest while the last pages of a round still arrive, where the pause begins with a look
 * at all of memory: both go on at the same time. Nobody else is told: to the destination, and to
 * the machine, the guest is one that stands as soon as it is asked to.
 *
 * @module
 */
import type { Clock } from '@godwit/core'
import type { Rounds } from './rounds.ts'

/** What it is about. */
export interface EarlyPauseParts {
  /** Stops the guest; resolves when it stands. */
  stand(): Promise<void>
  /** Whether the round is not acknowledged yet, and nothing has come in between. */
  isWanted(): boolean
  failed(thrown: unknown): void
}

type ReviewedRounds = Pick<Rounds, 'foresee' | 'settle' | 'look'>

/** Of one migration. */
export class EarlyPause {
  readonly #clock: Clock
  readonly #rounds: ReviewedRounds
  readonly #parts: EarlyPauseParts
  #isEarly = false
  #isOver = false
  #endWait = (): void => {}

  constructor(clock: Clock, rounds: ReviewedRounds, parts: EarlyPauseParts) {
    this.#clock = clock
    this.#rounds = rounds
    this.#parts = parts
  }

  /** A round was handed to the sockets. Never rejects. */
  async begin(roundTripMs: number): Promise<void> {
    const parts = this.#parts
    try {
      const waitMs = await this.#rounds.foresee(roundTripMs)
      if (waitMs === undefined) return
      await this.#wait(waitMs)
      if (!parts.isWanted() || !this.#rounds.settle()) return
      this.#isEarly = true
      await parts.stand()
    } catch (thrown) {
      parts.failed(thrown)
    }
  }

  /** The guest stands, whoever asked for it; nobody else knows yet. */
  stands(): void {
    // The last round goes on with what is begun here.
    if (this.#isEarly && !this.#isOver) this.#rounds.look()
  }

  /** The migration is over. */
  end(): void {
    this.#isOver = true
    this.#endWait()
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ms, resolve)
      this.#endWait = (): void => {
        cancel()
        resolve()
      }
    })
  }
}
