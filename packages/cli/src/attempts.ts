/**
 * Attempts to move one guest: without post-copy where the destination cannot do it, and again after
 * a failure, as often as `--retry` says.
 *
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Report } from '@godwit/core'
import type { RuleOptions } from 'godwit'
import { withoutPostCopy } from 'godwit'
import { ExitCode as Exit, exitCodeOf } from './exit-code.ts'

export const RETRY_DELAY_MS = 1000

/** How one attempt is made, and who hears of the next. */
export interface Attempts<T extends RuleOptions> {
  readonly retry: number
  /** Aborted: there is no further one. */
  readonly signal: AbortSignal
  /** Makes one. */
  readonly run: (asked: T) => Promise<Report>
  /** Another follows, for what this report says. @param isPlain - at once, without post-copy */
  readonly again: (report: Report, isPlain: boolean) => void
}

/** The report of the last attempt. Rejects as `run` does. */
export async function attempt<T extends RuleOptions>(
  asked: T,
  { retry, signal, run, again }: Attempts<T>,
): Promise<Report> {
  for (let [left, options] = [retry, asked]; ; ) {
    const report = await run(options)
    if (signal.aborted) return report
    const plain = withoutPostCopy(report, options)
    if (plain !== undefined) {
      again(report, true)
      options = plain
      continue
    }
    const isFailed = report.outcome === 'failed' && exitCodeOf(report) === Exit.Failed
    if (!isFailed || left-- <= 0) return report
    again(report, false)
    // Whoever cancels meanwhile hears so from the next attempt.
    await sleep(RETRY_DELAY_MS, undefined, { signal }).catch(() => {})
  }
}
