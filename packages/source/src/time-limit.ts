/**
 * A migration with a limit on its time.
 *
 * @module
 */
import type { Clock, Report } from '@godwit/core'
import { CancelledError, formatDurationMs } from '@godwit/core'
import type { StopDecision, Timeout } from '@godwit/policy'
import type { SourceMigration } from './source-migration.ts'

/**
 * Runs `migration`, and does what `timeout` says when it is not over by then. Time counts from this
 * call. After the hand-over nothing is done: the guest is the destination's.
 *
 * @param signal - as of {@link SourceMigration.run}
 */
export async function runWithin(
  migration: SourceMigration,
  timeout: Timeout | undefined,
  clock: Clock,
  signal?: AbortSignal,
): Promise<Report> {
  if (timeout === undefined) return migration.run(signal)
  const { ms: limitMs } = timeout
  const startMs = clock.nowMs()
  let decision: StopDecision | undefined
  const forget = clock.after(limitMs, () => {
    if (!migration.canCancel) return
    decision = { rule: 'timeout', numbers: { limitMs, elapsedMs: clock.nowMs() - startMs } }
    act(migration, timeout, decision)
  })
  const report = await migration.run(signal).finally(forget)
  // There was nothing to stop; this is what ended it.
  if (timeout.action === 'cancel' && decision !== undefined) {
    report.stop = { rule: decision.rule, ...decision.numbers }
  }
  return report
}

function act(migration: SourceMigration, { ms, action }: Timeout, by: StopDecision): void {
  switch (action) {
    case 'post-copy':
      migration.switchToPostCopy(by)
      break
    case 'stop':
      migration.endRounds(by)
      break
    case 'cancel': {
      const text = `The migration was cancelled: it took longer than ${formatDurationMs(ms)}`
      migration.cancel(new CancelledError(text))
      break
    }
  }
}
