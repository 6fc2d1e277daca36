/**
 * One migration of a saved guest by QEMU itself.
 *
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { MigrationStatus, QemuMode } from './migration-command.ts'
import { applyMode, awaitMigration, switchToPostCopy } from './migration-command.ts'
import type { Route } from './namespaces.ts'
import { sentBytes } from './namespaces.ts'
import type { ConsoleLine } from './qemu.ts'
import { Qemu } from './qemu.ts'
import type { SavedGuest } from './saved-guest.ts'
import { machineOf, restoreGuest } from './saved-guest.ts'
import { warmMemory } from './workshop.ts'

/** How long the guest runs before it moves. */
export const SETTLE_MS = 1300

/** The guest's RAM there, and what Godwit's `attach=stream` has of it here as well. */
export const WARM_FACTOR = 2

const migrationMs = 60_000
const resumeMs = 20_000
const tickMs = 5000
const port = 7600

/** What one migration took, by QEMU or by Godwit. */
export interface Figures {
  /** From the moment it was asked for. */
  readonly totalMs: number
  /** From the guest's stop here to its start there. */
  readonly pauseMs: number
  /** What the source's interface sent. */
  readonly wireBytes: number
  /** Both sides, without what the guest itself computes. */
  readonly cpuSeconds: number
  /** After post-copy: how long the guest waited for pages. */
  readonly blockedMs: number | undefined
}

export interface QemuFigures extends Figures {
  readonly rounds: number
  /** Pages per second that the guest wrote, from its last line before to its first after it. */
  readonly guestRate: number
}

/** @throws when it does not end in time, or the guest does not go on there */
export async function migrateQemu(
  guest: SavedGuest,
  mode: QemuMode,
  route: Route,
): Promise<QemuFigures> {
  const source = await restoreGuest(guest, { name: 'source', prefix: route.source.prefix })
  try {
    const destination = await Qemu.start(guest.workshop, {
      name: 'destination',
      prefix: route.destination.prefix,
      ...machineOf(guest),
      incoming: 'defer',
    })
    try {
      return await migrateBetween({ source, destination, guest, mode, route })
    } finally {
      await destination.quit()
    }
  } finally {
    await source.quit()
  }
}

interface Sides {
  readonly source: Qemu
  readonly destination: Qemu
  readonly guest: SavedGuest
  readonly mode: QemuMode
  readonly route: Route
}

async function migrateBetween({ source, destination, ...how }: Sides): Promise<QemuFigures> {
  const { guest, mode, route } = how
  const uri = `tcp:${route.host}:${port}`
  await applyMode(destination.qmp, destinationMode(mode))
  await destination.qmp.execute('migrate-incoming', { uri })
  await applyMode(source.qmp, mode)
  await source.qmp.execute('cont')
  await sleep(SETTLE_MS)
  await warmMemory(guest.workshop, WARM_FACTOR * guest.load.memoryBytes)

  const cpu = (): number => source.cpuSeconds() + destination.cpuSeconds()
  const [bytesBefore, cpuBefore, startMs] = [await sentBytes(route), cpu(), Date.now()]
  await source.qmp.execute('migrate', { uri })
  await switchToPostCopy(source.qmp, mode, migrationMs)
  const status = await awaitMigration(source.qmp, migrationMs)
  const resumed = await destination.qmp.event(({ name }) => name === 'RESUME', resumeMs)
  const [cpuAfter, bytesAfter] = [cpu(), await sentBytes(route)]
  const stopped = await source.qmp.event(
    ({ name, atMs }) => name === 'STOP' && atMs > startMs,
    resumeMs,
  )
  // A guest whose memory was not right does not get here.
  const first = await destination.line(/^TICK/, tickMs)
  return {
    totalMs: status['total-time']!,
    pauseMs: resumed.atMs - stopped.atMs,
    wireBytes: bytesAfter - bytesBefore,
    cpuSeconds: cpuAfter - cpuBefore,
    rounds: status.ram!['dirty-sync-count'],
    guestRate: rateBetween(lastTickBefore(source, startMs), first),
    blockedMs: await blockedMsOf(destination, mode),
  }
}

/** The destination counts how long its guest waits. */
function destinationMode(mode: QemuMode): QemuMode {
  if (mode.postCopyAfter === undefined) return mode
  return { ...mode, capabilities: [...mode.capabilities, 'postcopy-blocktime'] }
}

async function blockedMsOf({ qmp }: Qemu, mode: QemuMode): Promise<number | undefined> {
  if (mode.postCopyAfter === undefined) return undefined
  const status = await qmp.execute<MigrationStatus>('query-migrate')
  return status['postcopy-blocktime']
}

function lastTickBefore({ console }: Qemu, atMs: number): ConsoleLine | undefined {
  return console.findLast((line) => line.atMs <= atMs && line.text.startsWith('TICK'))
}

/** Pages per second between two lines like `TICK pages=5`. */
export function rateBetween(before: ConsoleLine | undefined, after: ConsoleLine): number {
  if (before === undefined) return Number.NaN
  const pages = ({ text }: ConsoleLine): number => Number(text.split('pages=')[1])
  return ((pages(after) - pages(before)) / (after.atMs - before.atMs)) * 1e3
}
