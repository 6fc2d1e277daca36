/**
 * A source that was lost while pages of a running guest were to come, or when it may have let go of
 * one that is held: how long it is waited for.
 *
 * @module
 */
import type { Clock } from '@godwit/core'
import type { DestinationState } from '@godwit/session'
import { isDestinationRecovering, isHolding } from '@godwit/session'

/** The guest has all of its pages, and nobody but the source may miss the end of the session. */
const completeWaitMs = 10_000

/** The source asks as soon as it can, if it let go; else it has tried again long before. */
const holdingWaitMs = 600_000

/** Of one migration. */
export class LostSource {
  /** Resolves when nothing of the last connection stores to the memory any more. */
  stopped: Promise<void> = Promise.resolve()
  readonly #clock: Clock
  readonly #recoverMs: number
  readonly #giveUp: () => void
  #cancel: () => void = () => {}

  /** @param recoverMs - how long it is waited for, each time; `Infinity`: for ever */
  constructor(clock: Clock, recoverMs: number, giveUp: () => void) {
    this.#clock = clock
    this.#recoverMs = recoverMs
    this.#giveUp = giveUp
  }

  /** The connection is lost. @param state - since then */
  lost(stopped: Promise<void>, state: DestinationState): void {
    this.stopped = stopped
    this.#cancel()
    const waitMs = Math.min(longestWaitMs(state), this.#recoverMs)
    if (Number.isFinite(waitMs)) this.#cancel = this.#clock.after(waitMs, this.#giveUp)
  }

  /** It is there again, or no longer waited for. */
  found(): void {
    this.#cancel()
  }
}

function longestWaitMs(state: DestinationState): number {
  if (isHolding(state)) return holdingWaitMs
  return isDestinationRecovering(state) && state.complete ? completeWaitMs : Infinity
}
