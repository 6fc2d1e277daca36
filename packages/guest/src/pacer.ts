/**
 * When a workload takes its steps. Wall-clock time decides only *how many* steps are done by now,
 * never what a step does.
 *
 * @module
 */
import type { GuestIdentity } from '@godwit/core'
import { SEGMENT_BYTES } from './stream.ts'
import { threadCountOf } from './workload.ts'

/** Shortest sleep, the same as the guest that peers are measured with. */
const sleepMsMin = 2
/** A thread that fell behind catches up at most this much. */
const debtSecondsMax = 0.2
const dutyWindowMs = 20
const idleTicksPerSecond = 100

/** Decides how many steps are due. Times are in milliseconds of any steady clock. */
export interface Pacer {
  /** Starts, or starts again after a pause, which is not to be caught up. */
  restart(nowMs: number): void
  /** Steps due now; Infinity: as many as there is time for. */
  due(nowMs: number): number
  /** Tells that `steps` were done and took `tookMs`. */
  spend(steps: number, tookMs: number): void
  /** How long to sleep when nothing is due; Infinity: until told. */
  sleepMs(): number
}

/** So many steps per second. */
export class RatePacer implements Pacer {
  readonly #stepsPerSecond: number
  #debt = 0
  #lastMs = 0

  constructor(stepsPerSecond: number) {
    this.#stepsPerSecond = stepsPerSecond
  }

  restart(nowMs: number): void {
    this.#lastMs = nowMs
  }

  due(nowMs: number): number {
    const earned = ((nowMs - this.#lastMs) / 1000) * this.#stepsPerSecond
    this.#lastMs = nowMs
    // At least one step, or a slow guest would never get there.
    const debtMax = Math.max(1, this.#stepsPerSecond * debtSecondsMax)
    this.#debt = Math.min(this.#debt + earned, debtMax)
    return Math.floor(this.#debt)
  }

  spend(steps: number): void {
    this.#debt -= steps
  }

  sleepMs(): number {
    return Math.max(sleepMsMin, ((1 - this.#debt) / this.#stepsPerSecond) * 1000)
  }
}

/** So many steps per second for a while, then none for a while. It begins with the former. */
export class BurstPacer implements Pacer {
  readonly #busyMs: number
  readonly #turnMs: number
  readonly #inner: RatePacer
  #elapsedMs = 0
  #lastMs = 0

  constructor(stepsPerSecond: number, busyMs: number, pauseMs: number) {
    this.#inner = new RatePacer(stepsPerSecond)
    this.#busyMs = busyMs
    this.#turnMs = busyMs + pauseMs
  }

  /** Time in bursts so far, which is all that the pacer inside sees. */
  get #burstMs(): number {
    const turns = Math.floor(this.#elapsedMs / this.#turnMs)
    const inTurnMs = this.#elapsedMs - turns * this.#turnMs
    return turns * this.#busyMs + Math.min(inTurnMs, this.#busyMs)
  }

  restart(nowMs: number): void {
    this.#lastMs = nowMs
    this.#inner.restart(this.#burstMs)
  }

  due(nowMs: number): number {
    this.#elapsedMs += nowMs - this.#lastMs
    this.#lastMs = nowMs
    return this.#inner.due(this.#burstMs)
  }

  spend(steps: number): void {
    this.#inner.spend(steps)
  }

  sleepMs(): number {
    const inTurnMs = this.#elapsedMs % this.#turnMs
    return inTurnMs < this.#busyMs ? this.#inner.sleepMs() : this.#turnMs - inTurnMs
  }
}

/** Busy for a share of the time. */
export class DutyPacer implements Pacer {
  readonly #share: number
  #budgetMs = 0
  #lastMs = 0

  constructor(percent: number) {
    this.#share = percent / 100
  }

  restart(nowMs: number): void {
    this.#lastMs = nowMs
  }

  due(nowMs: number): number {
    this.#budgetMs += (nowMs - this.#lastMs) * this.#share
    this.#budgetMs = Math.min(this.#budgetMs, dutyWindowMs)
    this.#lastMs = nowMs
    // A full load never sleeps: what it spends is all the time there is.
    return this.#share === 1 || this.#budgetMs > 0 ? Infinity : 0
  }

  spend(_steps: number, tookMs: number): void {
    this.#budgetMs -= tookMs
  }

  sleepMs(): number {
    return this.#share === 0 ? Infinity : Math.max(sleepMsMin, -this.#budgetMs / this.#share)
  }
}

/** The pacer of each thread of `identity`. */
export function pacerOf(identity: GuestIdentity): Pacer {
  const { load, rate } = identity.options
  if (load !== undefined) return new DutyPacer(Number(load))
  const { busy, pause } = identity.options
  if (busy !== undefined) return new BurstPacer(Number(rate), Number(busy), Number(pause))
  const stepsPerSecond = rate === undefined ? idleTicksPerSecond : Number(rate)
  if (identity.kind === 'network') return new RatePacer(stepsPerSecond / SEGMENT_BYTES)
  return new RatePacer(stepsPerSecond / threadCountOf(identity))
}
