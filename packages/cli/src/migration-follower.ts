/**
 * Waits for a migration that an agent makes: progress, summary and exit code as `send` has them.
 *
 * @module
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Report } from '@godwit/core'
import { toGodwitError } from '@godwit/core'
import { callControl } from './control-connection.ts'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit, exitCodeOf } from './exit-code.ts'
import type { Interrupts } from './interrupt.ts'
import { listenToInterrupts } from './interrupt.ts'
import { formatError, note, print, saveReport } from './output.ts'
import type { ProgressFacts } from './progress.ts'
import { noProgress, startProgress } from './progress.ts'
import { formatSummary } from './summary.ts'

/** The migration, and how to tell of it. */
export interface FollowedMigration {
  readonly control: string
  readonly guest: string
  /** By which the agent knows it. */
  readonly migration: string
  readonly json?: string
  readonly quiet?: boolean
}

/** The agent is asked so often. */
const askMs = 100

const atFirst: ProgressFacts = {
  stage: 'preparation',
  round: 0,
  pagesDone: 0,
  pagesTotal: 0,
  wireBytes: 0,
  elapsedMs: 0,
}

/** Resolves with what to exit with. @throws {GodwitError} the agent does not answer any more */
export async function followMigration(followed: FollowedMigration): Promise<ExitCode> {
  const { guest, quiet, json } = followed
  const interrupts = listenToInterrupts()
  let facts = atFirst
  const progress = quiet === true ? noProgress : startProgress(() => facts)
  let report: Report | undefined
  try {
    report = await outcomeOf(followed, interrupts, (read) => {
      facts = read
    })
  } finally {
    progress.stop()
    interrupts.stop()
  }
  if (report === undefined) {
    note(`the agent goes on with it; godwit status ${guest} tells how far`)
    return Exit.Cancelled
  }
  saveReport(json, report)
  if (quiet !== true && json !== '-') print(formatSummary(report))
  if (report.error !== undefined) {
    note(formatError({ code: report.error.code, message: report.error.text }))
  }
  return exitCodeOf(report)
}

/** @returns undefined when it is not waited for any more */
async function outcomeOf(
  { control, guest, migration }: FollowedMigration,
  interrupts: Interrupts,
  onProgress: (facts: ProgressFacts) => void,
): Promise<Report | undefined> {
  let isLeft = false
  void interrupts.second.then(() => {
    isLeft = true
  })
  void interrupts.first.then(async (signal) => {
    if (signal === 'SIGTERM') return
    note('cancelling; Ctrl-C again leaves the migration to the agent')
    await callControl(control, 'cancel', { guest }).catch((thrown: unknown) => {
      note(formatError(toGodwitError(thrown)))
    })
  })
  while (!isLeft) {
    const answer = (await callControl(control, 'outcome', { migration })) as {
      readonly report?: Report
      readonly progress?: ProgressFacts
    }
    if (answer.report !== undefined) return answer.report
    if (answer.progress !== undefined) onProgress(answer.progress)
    await Promise.race([wait(askMs), interrupts.second])
  }
  return undefined
}
