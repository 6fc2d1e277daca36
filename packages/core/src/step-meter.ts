/**
 * How fast a guest goes, for guests that count their steps.
 *
 * @module
 */
import type { Clock } from './clock.ts'
import type { StepSample } from './report.ts'

/** Between two looks, as long as there are few. */
const INTERVAL_MS = 100
/** Of more, every two that follow each other become one, and looks half as frequent. */
export const STEP_SAMPLES_MAX = 512

/** Looks at a guest's steps from time to time while it runs. */
export class StepMeter {
  readonly #clock: Clock
  readonly #startMs: number
  #samples: StepSample[] = []
  #intervalMs = INTERVAL_MS
  #cancel: (() => void) | undefined
  /** The last look. */
  #look: { readonly atMs: number; readonly steps: number } | undefined
  #steps: (() => number) | undefined

  /** @param startMs - by `clock`: samples tell how much later they begin */
  constructor(clock: Clock, startMs: number) {
    this.#clock = clock
    this.#startMs = startMs
  }

  /** In order; between two there may be a gap, in which nobody looked. */
  get samples(): readonly StepSample[] {
    return this.#samples
  }

  /** @param steps - done so far, for guests that count them: nothing is looked at of others */
  begin(steps: (() => number) | undefined): void {
    this.end()
    if (steps === undefined) return
    this.#steps = steps
    this.#look = { atMs: this.#clock.nowMs(), steps: steps() }
    this.#wait()
  }

  /** Looks for the last time; the guest stands still, or nobody wants to know any more. */
  end(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#sample()
    this.#look = undefined
    this.#steps = undefined
  }

  #wait(): void {
    this.#cancel = this.#clock.after(this.#intervalMs, () => {
      this.#sample()
      this.#wait()
    })
  }

  #sample(): void {
    const [last, read] = [this.#look, this.#steps]
    if (last === undefined || read === undefined) return
    const [atMs, steps] = [this.#clock.nowMs(), read()]
    this.#look = { atMs, steps }
    const ms = atMs - last.atMs
    // Steps go back where a guest was set back: that tells nothing of how fast it is.
    if (ms <= 0 || steps < last.steps) return
    this.#samples.push({ atMs: last.atMs - this.#startMs, ms, steps: steps - last.steps })
    if (this.#samples.length > STEP_SAMPLES_MAX) this.#halve()
  }

  #halve(): void {
    const halved: StepSample[] = []
    for (const sample of this.#samples) {
      const last = halved.at(-1)
      const isOdd = last !== undefined && last.ms < 1.5 * this.#intervalMs
      if (isOdd && isNext(last, sample)) {
        const ms = sample.atMs + sample.ms - last.atMs
        halved[halved.length - 1] = { atMs: last.atMs, ms, steps: last.steps + sample.steps }
      } else {
        halved.push(sample)
      }
    }
    this.#samples = halved
    this.#intervalMs *= 2
  }
}

/** Without a gap, but for what the clock cannot tell. */
function isNext(last: StepSample, next: StepSample): boolean {
  return next.atMs - (last.atMs + last.ms) < 1e-6
}
