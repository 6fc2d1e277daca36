/**
 * One migration over a link to a machine that may have a sibling of the guest.
 *
 * @module
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Report } from '@godwit/core'
import { makeFolder } from '../process.ts'
import type { Route } from '../peer/namespaces.ts'
import { carriedBytes } from '../peer/namespaces.ts'
import type { Commands, MachineParts, Offers } from './machine.ts'
import { RemoteMachine } from './remote-machine.ts'

/** What moves, and what both machines have. */
export interface StaticMove {
  readonly guest: Parameters<Commands['start']>
  readonly offers: Offers
  readonly has: Pick<MachineParts, 'map' | 'sibling'>
}

export interface StaticFigures {
  /** From when room is asked for. */
  readonly fromReservationMs: number
  /**
   * From round 1 on, as the report has it, and what static pages take before: what is waited for
   * when there is room already, and the making of the look-up.
   */
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
  { guest, offers, has }: StaticMove,
): Promise<StaticFigures> {
  const machines = await startPair(route, has)
  try {
    const { source, destination } = machines
    await source.tell('start', ...guest)
    return await measured(route, source, destination, offers)
  } finally {
    await machines.end()
  }
}

interface MachinePair {
  readonly source: RemoteMachine
  readonly destination: RemoteMachine
  readonly end: () => Promise<void>
}

/** A machine at each end of a link, with the same map and siblings. */
export async function startPair(route: Route, has: StaticMove['has'] = {}): Promise<MachinePair> {
  const folder = makeFolder()
  const { sourceHost, host } = route
  const source = await RemoteMachine.start(route.source, {
    ...has,
    host: sourceHost,
    images: join(folder, 'source'),
  })
  const destination = await RemoteMachine.start(route.destination, {
    ...has,
    host,
    images: join(folder, 'destination'),
  })
  const end = async (): Promise<void> => {
    await Promise.all([source.end(), destination.end()])
    rmSync(folder, { recursive: true })
  }
  return { source, destination, end }
}

/** @throws when the migration was not right */
export async function measured(
  route: Route,
  from: RemoteMachine,
  to: RemoteMachine,
  offers: Offers,
): Promise<StaticFigures> {
  const before = await carriedBytes(route)
  const report = checked(await from.tell('send', to.address, offers))
  const wireBytes = (await carriedBytes(route)) - before
  const there = await to.tell('arrived')
  // What the source waited for beyond room, and what it did with the answer.
  const waitMs = report.reservationMs! - there.reservationMs! + (report.static?.ms ?? 0)
  const startOf = (stage: string): number => report.stages.find(({ name }) => name === stage)!.atMs
  const { sourceSeconds, destinationSeconds } = report.cpu!
  return {
    report,
    wireBytes,
    totalMs: waitMs + report.totalMs!,
    fromReservationMs: startOf('pre-copy') - startOf('reservation') + report.totalMs!,
    cpuSeconds: sourceSeconds! + destinationSeconds!,
  }
}

/** @throws when the migration was not right */
export function checked(report: Report): Report {
  if (report.outcome === 'completed' && report.memory?.equal === true) return report
  throw new Error(`a migration was not right: ${report.error?.text ?? report.outcome}`)
}
