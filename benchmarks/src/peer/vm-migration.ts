/**
 * One migration by Godwit of a saved guest in its own QEMU: the virtual machine itself.
 *
 * @module
 */
import { rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Report } from '@godwit/core'
import { makeFolder, migrate } from '../process.ts'
import type { Route } from './namespaces.ts'
import { sentBytes } from './namespaces.ts'
import type { Figures } from './qemu-migration.ts'
import { SETTLE_MS } from './qemu-migration.ts'
import { machineArguments, Qemu } from './qemu.ts'
import { QmpClient } from './qmp.ts'
import type { SavedGuest } from './saved-guest.ts'
import { machineOf, restoreGuest } from './saved-guest.ts'
import { warmMemory } from './workshop.ts'

const eventMs = 20_000
const tickMs = 5000
const pollMs = 10
/** Enough for the guest there to say that it goes on. */
const runFor = '2s'

/** How Godwit gets at a virtual machine's memory. */
export type Attach = 'file' | 'stream'

export interface VmFigures extends Figures {
  /** Before the total: until pages flow. */
  readonly preparationMs: number
  /** Of the pause: QEMU's own stop, state and start. */
  readonly pauseParts: Report['downtime']
}

export interface VmOptions {
  readonly attach: Attach
  /** Of the guest `qemu`, like `downtime=300ms`. */
  readonly guestOptions: readonly string[]
  /** Of `godwit send`. */
  readonly options: readonly string[]
  /** How to start `godwit` as a process: program and first arguments. */
  readonly godwit: readonly string[]
}

/** @throws when it was not right, or the guest does not go on there */
export async function migrateVm(
  guest: SavedGuest,
  options: VmOptions,
  route: Route,
): Promise<VmFigures> {
  const folder = makeFolder()
  const ramFile = join('/dev/shm', `godwit-bench-${process.pid}.ram`)
  try {
    const isFile = options.attach === 'file'
    const own = isFile ? { ramFile } : {}
    const source = await restoreGuest(guest, {
      name: 'source',
      prefix: route.source.prefix,
      ...own,
    })
    try {
      return await migrateFrom(source, { guest, options, route, folder, ramFile })
    } finally {
      await source.quit()
    }
  } finally {
    rmSync(ramFile, { force: true })
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Sides {
  readonly guest: SavedGuest
  readonly options: VmOptions
  readonly route: Route
  readonly folder: string
  readonly ramFile: string
}

async function migrateFrom(source: Qemu, sides: Sides): Promise<VmFigures> {
  const { guest, options, route, folder, ramFile } = sides
  const { attach, guestOptions, godwit } = options
  const place = attach === 'file' ? [`ram=${ramFile}`] : []
  const name = ['qemu', `attach=${attach}`, `qmp=${source.socket}`, ...place, ...guestOptions]
  const console = join(folder, 'console')
  const there = join(folder, 'destination.qmp')
  writeFileSync(console, '')
  let bytesBefore = 0
  const ends = {
    ...route,
    listening: async () => {
      await source.qmp.execute('cont')
      await sleep(SETTLE_MS)
      await warmMemory(guest.workshop, guest.load.memoryBytes)
      bytesBefore = await sentBytes(route)
    },
  }
  const startMs = Date.now()
  const resumed = QmpClient.connect(there).then(async (qmp) => {
    const event = await qmp.event((one) => one.name === 'RESUME', eventMs)
    qmp.close()
    return event
  })
  // Where the migration fails, that is the reason.
  resumed.catch(() => {})
  const [{ source: report }] = await Promise.all([
    migrate(godwit, name.join(','), options.options, ends, runFor, [], {
      receive: receiveOptions(sides, console, there),
      isRight: ({ outcome }) => outcome === 'completed',
    }),
    ticks(console),
  ])
  const stopped = await source.qmp.event(
    (one) => one.name === 'STOP' && one.atMs > startMs,
    eventMs,
  )
  const pauseMs = (await resumed).atMs - stopped.atMs
  return { ...figuresOf(report), pauseMs, wireBytes: (await sentBytes(route)) - bytesBefore }
}
