/**
 * Time that passes only when told to.
 *
 * @module
 */
import { type Clock, systemClock } from '@godwit/core'

interface Timer {
  readonly dueMs: number
  readonly task: () => void
}

/** A manual clock; tasks run inside {@link advance}, in the order of their times. */
export class FakeClock implements Clock {
  #nowMs: number
  /** In the order they were set, which breaks ties. */
  readonly #timers: Set<Timer> = new Set()

  constructor(startMs = 0) {
    this.#nowMs = startMs
  }

  /** Timers that are neither due nor cancelled: 0 when nothing leaks. */
  get timerCount(): number {
    return this.#timers.size
  }

  nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), task }
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  /** Takes no time, so it does not wait for {@link advance}: the event loop really turns. */
  soon(task: () => void): void {
    systemClock.soon(task)
  }

  /** Moves time forward, running what is due on the way, tasks set by tasks included. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms
    for (let timer = this.#next(endMs); timer !== undefined; timer = this.#next(endMs)) {
      this.#timers.delete(timer)
      this.#nowMs = timer.dueMs
      timer.task()
    }
    this.#nowMs = endMs
  }

  #next(endMs: number): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.dueMs <= endMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer
    }
    return next
  }
}
