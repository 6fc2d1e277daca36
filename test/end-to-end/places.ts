/**
 * Destinations on TCP, and writers that move there by the library: memory compared, and what they
 * compute at the end.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import { MIB } from '@godwit/core'
import type { IncomingMigration } from '@godwit/destination'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import type { SendOptions } from 'godwit'
import { createMigration, receive } from 'godwit'
import { reportSchema } from 'godwit/report-schema'
import { expect } from 'vitest'
import { advances, expectContinuous, expectReplayed } from './oracle.ts'

const cleanups: (() => Promise<unknown>)[] = []

/** For `afterEach`. */
export async function endPlaces(): Promise<void> {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
}

export const memoryBytes: number = 8 * MIB
/** Rounds last long enough for a guest to store to many pages. */
export const slow: Pick<SendOptions, 'maxBandwidth' | 'pauseBandwidth'> = {
  maxBandwidth: 40e6,
  pauseBandwidth: Infinity,
}

/** A guest that runs. */
export async function startGuest(
  spec: string,
  bytes: number = memoryBytes,
): Promise<WorkloadGuest> {
  const guest = await WorkloadGuest.start(parseGuest(spec, bytes).identity, bytes)
  cleanups.push(() => guest.stop())
  await advances(guest, 100)
  return guest
}

/** Moves it, or tries to. @returns the report, and who arrived */
export async function moveGuest(
  guest: WorkloadGuest,
  options: Omit<SendOptions, 'to'>,
  host: WorkloadHost = new WorkloadHost(),
): Promise<{ report: Report; arrived: IncomingWorkload | undefined }> {
  const migrations: IncomingMigration[] = []
  const receiver = await receive(
    host,
    { listen: '127.0.0.1:0' },
    { ended: (one) => migrations.push(one) },
  )
  cleanups.push(() => receiver.close())
  const settings = { tracker: 'barrier', ...options, to: receiver.address } as const
  const report = await (await createMigration(guest, settings)).run()
  expect((await reportSchema['~standard'].validate(report)).issues).toBeUndefined()
  if (report.outcome !== 'completed') return { report, arrived: undefined }
  await receiver.arrival()
  const arrived = migrations.at(-1)!.guest as IncomingWorkload
  cleanups.push(() => arrived.discard())
  return { report, arrived }
}

/** Moves it, and proves that all of it went on there. */
export async function expectMoved(
  guest: WorkloadGuest,
  options: Omit<SendOptions, 'to'>,
  host?: WorkloadHost,
): Promise<Report> {
  const { report, arrived } = await moveGuest(guest, options, host)
  expect(report.error).toBeUndefined()
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  await expectContinuous(arrived!, guest.identity, guest.steps())
  return report
}

/** Tries to move it, and proves that it went on here as if nothing had happened. */
export async function expectStayed(
  guest: WorkloadGuest,
  options: Omit<SendOptions, 'to'>,
): Promise<Report> {
  const { report } = await moveGuest(guest, options)
  expect(report.outcome).toBe('failed')
  await expectReplayed(guest, guest.steps())
  return report
}
