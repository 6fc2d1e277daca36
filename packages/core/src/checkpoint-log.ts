/**
 * Counts checkpoints, on either side, and says how often there may be one.
 *
 * @module
 */
import { FaultLog } from './fault-log.ts'
import type { CheckpointReport } from './report.ts'

/** How often a running guest may be stopped for one: not so often that it does nothing else. */
export const CHECKPOINT_MS_MIN = 10
export const CHECKPOINT_MS_MAX = 3_600_000

/** Of one migration. */
export class CheckpointLog {
  readonly #pauses = new FaultLog()
  #pages = 0
  #bytes = 0

  /** A whole one was acknowledged. @param bytes - of its page frames */
  add(pages: number, bytes: number, pauseMs: number): void {
    this.#pages += pages
    this.#bytes += bytes
    this.#pauses.add(pauseMs)
  }

  get report(): CheckpointReport {
    const { count, p50Us, maxUs } = this.#pauses.report
    const pauses = { pauseP50Ms: p50Us / 1e3, pauseMaxMs: maxUs / 1e3 }
    return { count, pages: this.#pages, bytes: this.#bytes, ...pauses }
  }
}
