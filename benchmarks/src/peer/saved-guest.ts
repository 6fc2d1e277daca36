/**
 * Guests that were booted once: each is saved when its memory is filled and it works at its rate,
 * and every migration begins with a restored copy.
 *
 * @module
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MIB } from '@godwit/core'
import { applyMode, awaitMigration } from './migration-command.ts'
import type { QemuOptions } from './qemu.ts'
import { Qemu } from './qemu.ts'
import type { Workshop } from './workshop.ts'
import { makeOnce } from './workshop.ts'

const bootMs = 300_000
const saveMs = 120_000
/** Enough for its first sweep over the working set to be under way. */
const settleMs = 1000

/** What the guest does; see `guest/load.c`. */
export interface GuestLoad {
  readonly name: string
  readonly memoryBytes: number
  readonly fillBytes: number
  readonly wssBytes: number
  /** Pages dirtied per second; 0: none. */
  readonly rate: number
  readonly style: 'few' | 'page'
}

/** Which folder has the guest, and what it does. */
export interface SavedGuest {
  readonly workshop: Workshop
  readonly load: GuestLoad
  readonly stateFile: string
}

/** Boots and saves a guest, unless that was done before. */
export async function saveGuest(workshop: Workshop, load: GuestLoad): Promise<SavedGuest> {
  const stateFile = join(workshop.folder, `${load.name}.state`)
  await makeOnce(stateFile, async (file) => {
    const { memoryBytes } = load
    const qemu = await Qemu.start(workshop, {
      name: 'boot',
      memoryBytes,
      commandLine: commandLine(load),
    })
    try {
      await qemu.line(/^READY/, bootMs)
      await sleep(settleMs)
      await qemu.qmp.execute('stop')
      await applyMode(qemu.qmp, { name: 'save', capabilities: [], parameters: {} })
      await qemu.qmp.execute('migrate', { uri: `exec:cat > ${quoted(file)}` })
      await awaitMigration(qemu.qmp, saveMs)
    } finally {
      await qemu.quit()
    }
  })
  return { workshop, load, stateFile }
}

/** Starts a process with the saved guest in it, paused. */
export async function restoreGuest(
  guest: SavedGuest,
  options: Pick<QemuOptions, 'name' | 'prefix' | 'ramFile' | 'secondQmp'>,
): Promise<Qemu> {
  const { load, stateFile, workshop } = guest
  const incoming = `exec:cat ${quoted(stateFile)}`
  const qemu = await Qemu.start(workshop, { ...options, ...machineOf(guest), incoming })
  try {
    await qemu.status('paused', saveMs)
  } catch (error) {
    await qemu.quit()
    throw new Error(`the saved guest ${load.name} could not be restored`, { cause: error })
  }
  return qemu
}

/** What a process needs to take the guest in. */
export function machineOf({ load }: SavedGuest): { memoryBytes: number; commandLine: string } {
  return { memoryBytes: load.memoryBytes, commandLine: commandLine(load) }
}

function commandLine({ fillBytes, wssBytes, rate, style }: GuestLoad): string {
  const sizes = `load.fill=${fillBytes / MIB} load.wss=${wssBytes / MIB}`
  return `${sizes} load.rate=${rate} load.style=${style}`
}

/** For the shell that `exec:` starts. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
