/**
 * One migration over a link to a destination that has a sibling of the guest.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import type { Route } from '../peer/namespaces.ts'
import { carriedBytes } from '../peer/namespaces.ts'
import { migrate } from '../process.ts'

const runFor = '100ms'
const warmup = '300ms'

/** Both agents' parts in a migration. */
export interface StaticMove {
  /** As `godwit send` has it. */
  readonly guest: string
  /** Options of `godwit send`. */
  readonly send: readonly string[]
  /** Options of `godwit receive`. */
  readonly receive: readonly string[]
}

export interface StaticFigures {
  /** From when room is asked for: the search for what is there already goes on then. */
  readonly fromReservationMs: number
  /** From round 1 on, as the report has it. */
  readonly totalMs: number
  /** Both ways, headers included. */
  readonly wireBytes: number
  /** Of both agents. */
  readonly cpuSeconds: number
  readonly report: Report
}

/** @throws when the migration was not right: all of memory is compared */
export async function moveOver(
  route: Route,
  godwit: readonly string[],
  { guest, send, receive }: StaticMove,
): Promise<StaticFigures> {
  const before = await carriedBytes(route)
  const options = ['--warmup', warmup, '--verify', 'sha256', ...send]
  const { source } = await migrate(godwit, guest, options, route, runFor, { receive })
  const wireBytes = (await carriedBytes(route)) - before
  return { ...figuresOf(source), wireBytes }
}

/** What a report has of them. @throws when the migration was not right */
export function figuresOf(report: Report): Omit<StaticFigures, 'wireBytes'> {
  if (report.outcome !== 'completed' || report.memory?.equal !== true) {
    throw new Error(`a migration was not right: ${report.error?.text ?? report.outcome}`)
  }
  const startOf = (stage: string): number => report.stages.find(({ name }) => name === stage)!.atMs
  const { sourceSeconds, destinationSeconds } = report.cpu!
  return {
    report,
    totalMs: report.totalMs!,
    fromReservationMs: startOf('pre-copy') - startOf('reservation') + report.totalMs!,
    cpuSeconds: sourceSeconds! + destinationSeconds!,
  }
}
