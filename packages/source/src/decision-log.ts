/**
 * What was decided while a migration went on, and why: for the report, and for whoever listens.
 *
 * @module
 */
import type { Clock, DecisionReport } from '@godwit/core'

/** Of one migration. */
export class DecisionLog {
  readonly list: DecisionReport[] = []
  readonly #clock: Clock
  readonly #beganMs: number
  readonly #listener: ((decision: DecisionReport) => void) | undefined

  constructor(clock: Clock, listener: ((decision: DecisionReport) => void) | undefined) {
    this.#clock = clock
    this.#beganMs = clock.nowMs()
    this.#listener = listener
  }

  /** @param round - the one that has ended; 0 before the first */
  add(round: number, texts: readonly string[]): void {
    for (const text of texts) {
      const decision = { round, atMs: this.#clock.nowMs() - this.#beganMs, text }
      this.list.push(decision)
      try {
        this.#listener?.(decision)
      } catch {
        // Whoever listens must not decide who owns the guest.
      }
    }
  }
}
