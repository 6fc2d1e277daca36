/**
 * VMs of QEMU under an agent. They are in processes of their own: a VM goes on when the agent lets
 * go of it, or ends, and the next agent takes hold of it again.
 *
 * @module
 */
import { GodwitError, PAGE_BYTES_DEFAULT, toGodwitError } from '@godwit/core'
import type { IncomingMigration } from '@godwit/destination'
import type { VmPlace } from '@godwit/qemu'
import { formatPlace, HeldVm, IncomingQemu, QEMU_KIND, readPlace, removeFiles } from '@godwit/qemu'
import { OwnerDirectory } from 'godwit'
import type { AgentContext } from './context.ts'
import { placeRunning } from './guest-here.ts'
import type { GuestChange, GuestEntry, GuestHere, GuestTable } from './guest-table.ts'
import type { TakeRoom } from './held-guest.ts'
import { HeldVmGuest } from './held-guest.ts'
import { errorFacts } from './log.ts'

/** Whether it goes on, or stands, without the agent. */
export function goesOnAlone({ vm, state }: GuestEntry): boolean {
  return vm !== undefined && state !== 'leaving' && state !== 'arriving'
}

/** Of a VM that is in its QEMU here, whether an agent has hold of it or not. */
export function isInQemu({ vm, state }: GuestEntry): boolean {
  return vm !== undefined && (state === 'running' || state === 'in-doubt')
}

/** The guest that is this VM. */
export function holderOf({ live }: GuestTable, place: VmPlace): GuestEntry | undefined {
  return live.find(({ vm }) => vm !== undefined && readPlace(vm).qmp === place.qmp)
}

/** Of a VM that somebody else started, or an agent before this one. */
export function hereOfVm(vm: HeldVm, takeRoom: TakeRoom, facts: VmFacts): GuestHere {
  const guest = new HeldVmGuest(vm, takeRoom)
  return {
    guest,
    pageBytes: facts.pageBytes,
    steps: () => undefined,
    async release() {
      const { isEnded } = guest
      await guest.letGo()
      // Whoever started it is not there to do so.
      if (isEnded && facts.pid !== undefined) removeFiles(vm.place)
    },
  }
}

/** What is known of a VM beside its place. */
export interface VmFacts {
  readonly pageBytes: number
  /** Where an agent here started its QEMU. */
  readonly pid?: number | undefined
}

/** What is told of a VM that has come. */
export function arrivedFacts({ guest, report }: IncomingMigration): GuestChange {
  if (!(guest instanceof IncomingQemu)) return {}
  const { pid, place } = guest
  return { vm: formatPlace(place), pid, pageBytes: report.pageBytes }
}

/** Of a VM that has come. @param isWhole - it can be moved on */
export function hereOfArrived(
  migration: IncomingMigration,
  takeRoom: TakeRoom,
  isWhole: boolean,
): GuestHere | undefined {
  const { guest: vm, report } = migration
  if (!(vm instanceof IncomingQemu)) return undefined
  const memoryBytes = report.memoryBytes ?? 0
  const guest = isWhole
    ? new HeldVmGuest(HeldVm.follow(vm.place, memoryBytes), takeRoom)
    : undefined
  return {
    guest,
    pageBytes: report.pageBytes!,
    steps: () => undefined,
    async release() {
      if (guest?.isEnded !== true) vm.leave()
      await guest?.letGo()
      await migration.release()
    },
  }
}

/** How a VM is to be held. */
export interface HoldSettings {
  readonly name?: string
  readonly pageBytes: number
  readonly takeRoom: TakeRoom
  /** What is said of it. */
  readonly known: GuestChange
}

/**
 * Takes hold of a VM that runs.
 *
 * @throws {GodwitError} `USAGE`, `GUEST_OPTION`, `GUEST_FAILED`, `FILE_UNREADABLE`
 */
export async function holdVm(
  context: AgentContext,
  place: VmPlace,
  { name: asked, pageBytes, takeRoom, known }: HoldSettings,
): Promise<GuestEntry> {
  const { table } = context
  const holder = holderOf(table, place)
  if (holder !== undefined) {
    throw new GodwitError('USAGE', `This VM is guest "${holder.name}" here already`)
  }
  const vm = await HeldVm.hold(place)
  try {
    await vm.check()
    const { memoryBytes } = vm
    const name = asked ?? table.freeName(undefined, QEMU_KIND)
    const facts = { ...known, vm: formatPlace(place), pageBytes }
    const entry = table.add({ name, kind: QEMU_KIND, memoryBytes }, 'starting', facts)
    placeRunning(context, entry, hereOfVm(vm, takeRoom, { pageBytes }))
    return entry
  } catch (thrown) {
    await vm.letGo()
    throw thrown
  }
}

/** Takes hold again of VMs that an agent before this one has left. */
export async function holdAgain(context: AgentContext, takeRoom: TakeRoom): Promise<void> {
  const left = context.table.entries.filter((entry) => {
    return entry.vm !== undefined && entry.state === 'running' && entry.here === undefined
  })
  await Promise.all(left.map((entry) => takeUp(context, entry, takeRoom)))
}

/** Takes hold of a VM in its QEMU here, or says that this has ended. */
export async function takeUp(
  context: AgentContext,
  entry: GuestEntry,
  takeRoom: TakeRoom,
): Promise<void> {
  const { table, log } = context
  const { name: guest, vm: text = '', pid, pageBytes = PAGE_BYTES_DEFAULT } = entry
  try {
    const vm = await HeldVm.hold(readPlace(text))
    const status = await vm.status()
    placeRunning(context, entry, hereOfVm(vm, takeRoom, { pid, pageBytes }))
    const reason =
      status === 'running' ? undefined : `it stands (${status}): QMP's cont lets it go on`
    table.change(entry, 'running', { reason })
    log.info({ guest, vm: text, pid, status }, 'the agent has hold of a VM again')
    await adopt(context, entry)
  } catch (thrown) {
    const { code, message } = toGodwitError(thrown)
    table.change(entry, 'lost', { reason: `${code}: ${message}` })
    log.warn({ guest, vm: text, pid, code, error: message }, 'a VM is not to be found any more')
  }
}

/** Who asks whose a VM is that came here hears that it runs. */
async function adopt({ stateDir, log }: AgentContext, entry: GuestEntry): Promise<void> {
  const { name: guest, session, role } = entry
  if (session === undefined || role !== 'destination') return
  try {
    await new OwnerDirectory(stateDir).adopt(session)
  } catch (thrown) {
    log.warn({ guest, session, ...errorFacts(toGodwitError(thrown)) }, 'its record says it is lost')
  }
}
