/**
 * What a service beside a migration got while the guest moved: for as long as the report's
 * `totalMs`, and neither while room was made nor while memory was compared.
 *
 * @module
 */
import type { TrafficReport } from '@godwit/core'
import type { Traffic } from 'godwit'

/** The first of them that comes is the beginning of `totalMs`. */
const begins: ReadonlySet<string> = new Set(['pre-copy', 'stop-and-copy'])
/** With the guest there all is there, unless the rest follows by post-copy. */
const ends: ReadonlySet<string> = new Set(['activation', 'completion'])
const goesOn = 'post-copy'

/** Of one migration. */
export class CompetingMeter {
  readonly #traffic: Pick<Traffic, 'measure' | 'error'>
  #measure: (() => TrafficReport) | undefined
  #last: TrafficReport | undefined

  constructor(traffic: Pick<Traffic, 'measure' | 'error'>) {
    this.#traffic = traffic
  }

  /** The source has reached a stage. */
  reached(stage: string): void {
    if (begins.has(stage)) this.#measure ??= this.#traffic.measure()
    if (ends.has(stage)) this.#last = this.#measure?.()
    if (stage === goesOn) this.#last = undefined
  }

  /** When the migration is over; undefined where no page was sent. */
  read(): TrafficReport | undefined {
    const report = this.#last ?? this.#measure?.()
    if (report === undefined) return undefined
    const { error } = this.#traffic
    if (error === undefined) return report
    return { ...report, error: { code: error.code, text: error.message } }
  }
}
