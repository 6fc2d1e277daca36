/**
 * Migrations that tell both sides' reports.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import { expect } from 'vitest'
import type { Rig, SourceSettings } from './rig.ts'
import type { ShadowGuest } from './shadow.ts'
import type { Edit } from './watched.ts'
import { moveWatched } from './watched.ts'

/** What both sides say of one migration. */
export interface BothReports {
  readonly source: Report
  readonly destination: Report
}

/** {@link moveWatched}, with the destination's report; both must count alike. */
export async function moveCounted(
  guest: ShadowGuest,
  edits: readonly Edit[],
  settings: SourceSettings,
  more: (rig: Rig) => SourceSettings = () => ({}),
): Promise<BothReports> {
  let rig: Rig | undefined
  const source = await moveWatched(guest, edits, settings, (made) => {
    rig = made
    return more(made)
  })
  await rig!.idle()
  const reports = { source, destination: rig!.reports[0]! }
  expectSameCounts(reports)
  return reports
}

/** Whatever was sent and however, both sides have counted it alike. */
export function expectSameCounts({ source, destination }: BothReports): void {
  expect(destination.pages).toEqual(source.pages)
  expect(destination.wireBytes).toBe(source.wireBytes)
  for (const key of ['pages', 'bytes'] as const) {
    expect(destination.rounds.map((round) => round[key])).toEqual(
      source.rounds.map((round) => round[key]),
    )
  }
  const counted = Object.values(source.pages!).reduce((sum, count) => sum + count, 0)
  const pages = source.rounds.reduce((sum, round) => sum + round.pages, 0)
  expect(counted).toBe(pages)
}
