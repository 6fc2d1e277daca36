/**
 * One migration by Godwit of a saved guest in a QEMU of its own: of the virtual machine itself.
 *
 * @module
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Report } from '@godwit/core'
import { QmpClient } from '@godwit/qemu'
import type { GuestKind } from '../process.ts'
import { makeFolder, migrate } from '../process.ts'
import type { Route } from './namespaces.ts'
import { sentBytes } from './namespaces.ts'
import type { Figures } from './qemu-migration.ts'
import { SETTLE_MS, WARM_FACTOR } from './qemu-migration.ts'
import type { Qemu } from './qemu.ts'
import { machineArguments, qmpAt, RAM_NAME } from './qemu.ts'
import type { SavedGuest } from './saved-guest.ts'
import { machineOf, restoreGuest } from './saved-guest.ts'
import { warmMemory } from './workshop.ts'

const eventMs = 20_000
/** For a whole migration, with all that comes before. */
const limitMs = 120_000
/** Enough for the guest to say there that it goes on. */
const runFor = '2s'

/** How Godwit gets at the memory: a file of QEMU's, or QEMU's own stream. */
export type Attach = 'file' | 'stream'

export interface VmFigures extends Figures {
  /** Before the total: until pages flow. */
  readonly preparationMs: number
  readonly report: Report
}

export interface VmOptions {
  readonly attach: Attach
  /** QEMU's own, where it decides. */
  readonly downtimeLimitMs: number
  /** Of `godwit send`. */
  readonly options: readonly string[]
  /** How to start `godwit` as a process: program and first arguments. */
  readonly godwit: readonly string[]
}

/** Files of one migration. */
interface Files {
  readonly ram: string
  /** Where Godwit commands the source's QEMU. */
  readonly sourceQmp: string
  readonly destinationQmp: string
  readonly config: string
  /** What the guest says at the destination. */
  readonly console: string
}

/** @throws when it was not right, or the guest does not go on there */
export async function migrateVm(
  guest: SavedGuest,
  options: VmOptions,
  route: Route,
): Promise<VmFigures> {
  const folder = makeFolder()
  const file = (name: string): string => join(folder, name)
  const files: Files = {
    ram: `/dev/shm/godwit-bench-${process.pid}.ram`,
    sourceQmp: file('source.qmp'),
    destinationQmp: file('destination.qmp'),
    config: file('vm.json'),
    console: file('console'),
  }
  try {
    const source = await restoreGuest(guest, {
      name: 'source',
      prefix: route.source.prefix,
      secondQmp: files.sourceQmp,
      ...(options.attach === 'file' ? { ramFile: files.ram } : {}),
    })
    try {
      return await migrateFrom(source, guest, options, route, files)
    } finally {
      await source.quit()
    }
  } finally {
    rmSync(files.ram, { force: true })
    rmSync(folder, { recursive: true, force: true })
  }
}

async function migrateFrom(
  source: Qemu,
  guest: SavedGuest,
  { attach, downtimeLimitMs, options, godwit }: VmOptions,
  route: Route,
  files: Files,
): Promise<VmFigures> {
  const way = attach === 'file' ? `ram=${files.ram}` : `attach=stream,downtime=${downtimeLimitMs}ms`
  writeFileSync(files.config, JSON.stringify({ command: commandOf(guest, files) }))
  let bytesBefore = 0
  let startMs = 0
  const listening = async (): Promise<void> => {
    await source.qmp.execute('cont')
    await sleep(SETTLE_MS)
    await warmMemory(guest.workshop, WARM_FACTOR * guest.load.memoryBytes)
    bytesBefore = await sentBytes(route)
    startMs = Date.now()
  }
  const over = new AbortController()
  const resumed = resumeIn(files.destinationQmp, over.signal)
  // Where the migration fails, that is the reason.
  resumed.catch(() => {})
  const name = `qemu,qmp=${files.sourceQmp},${way},after=keep`
  const ends = { ...route, listening }
  const { source: report } = await migrate(
    godwit,
    name,
    options,
    ends,
    runFor,
    [],
    kindOf(files),
  ).finally(() => over.abort())
  const stopped = await source.qmp.event(
    ({ name, atMs }) => name === 'STOP' && atMs > startMs,
    eventMs,
  )
  checkConsole(readFileSync(files.console, 'utf8'))
  const wireBytes = (await sentBytes(route)) - bytesBefore
  return { ...figuresOf(report), pauseMs: (await resumed) - stopped.atMs, wireBytes }
}

/** What starts the destination's QEMU. */
function commandOf(guest: SavedGuest, { console, destinationQmp }: Files): readonly string[] {
  const backend = `memory-backend-file,id=${RAM_NAME},size={memory},mem-path={ram},share=on`
  return [
    'qemu-system-x86_64',
    ...machineArguments(guest.workshop, machineOf(guest)),
    '-machine',
    `q35,memory-backend=${RAM_NAME}`,
    '-object',
    backend,
    '-serial',
    `file:${console}`,
    '-qmp',
    qmpAt(destinationQmp),
  ]
}

function kindOf({ config }: Files): GuestKind {
  return {
    receiveOptions: ['--guest', `qemu,config=${config}`],
    isRight: ({ outcome, memory }) => outcome === 'completed' && memory?.equal === true,
  }
}

/** When the guest goes on there, by QEMU's clock. */
async function resumeIn(socket: string, signal: AbortSignal): Promise<number> {
  const qmp = await QmpClient.connect(socket, { waits: true, limitMs, signal })
  try {
    return (await qmp.event(({ name }) => name === 'RESUME', limitMs)).atMs
  } finally {
    qmp.close()
  }
}

/** @throws when the guest did not go on there, or its kernel complains */
export function checkConsole(text: string): void {
  if (/BUG:|Oops|Kernel panic|soft lockup/.test(text)) throw new Error(`the guest says: ${text}`)
  if (!/^TICK/m.test(text)) throw new Error('the guest did not go on at the destination')
}

/** As for guests that are not virtual machines: the total begins with the first round. */
function figuresOf(report: Report): Omit<VmFigures, 'wireBytes' | 'pauseMs'> {
  const first = report.stages.find(({ name }) => name === 'pre-copy' || name === 'stop-and-copy')
  return {
    report,
    totalMs: report.totalMs!,
    preparationMs: first!.atMs,
    blockedMs: undefined,
    cpuSeconds: report.cpu!.sourceSeconds! + report.cpu!.destinationSeconds!,
  }
}
