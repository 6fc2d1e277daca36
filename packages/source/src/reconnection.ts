/**
 * When a lost connection is tried again: soon at first, then at longer and longer intervals.
 *
 * @module
 */
import type { Clock } from '@godwit/core'
import type { SourceState } from '@godwit/session'
import type { SourceLoss } from './options.ts'

const firstMs = 100
const longestMs = 5000

/** What is to be done. */
export interface ReconnectionOwner {
  /** It is time for another attempt. */
  reconnect(): void
  /** It took too long. */
  giveUp(): void
}

/** Of one migration. */
export class Reconnection {
  readonly #clock: Clock
  readonly #recoverMs: number
  readonly #owner: ReconnectionOwner
  #delayMs = firstMs
  #cancelNext: () => void = () => {}
  #cancelEnd: (() => void) | undefined

  /** @param recoverMs - how long it is tried without success; `Infinity`: for ever */
  constructor(clock: Clock, recoverMs: number, owner: ReconnectionOwner) {
    this.#clock = clock
    this.#recoverMs = recoverMs
    this.#owner = owner
  }

  /** The connection is lost, or the attempt failed. */
  lost(): void {
    if (this.#cancelEnd === undefined) {
      const isLimited = Number.isFinite(this.#recoverMs)
      this.#cancelEnd = isLimited
        ? this.#clock.after(this.#recoverMs, () => this.#owner.giveUp())
        : () => {}
    }
    this.#cancelNext()
    this.#cancelNext = this.#clock.after(this.#delayMs, () => this.#owner.reconnect())
    this.#delayMs = Math.min(longestMs, this.#delayMs * 2)
  }

  /** Pages flow again. */
  succeeded(): void {
    this.stop()
    this.#delayMs = firstMs
    this.#cancelEnd = undefined
  }

  /** No more attempts. */
  stop(): void {
    this.#cancelNext()
    this.#cancelEnd?.()
  }
}

/** What it means that the destination was lost. @param state - since then */
export function lossOf(state: SourceState): SourceLoss {
  if (state.name === 'bereaved') return 'lost-with-host'
  return state.name === 'paused' && !state.committed ? 'in-doubt' : 'post-copy'
}
