/**
 * Every kind of guest that the commands know: the workloads of `guest`, `memcached`, and `qemu`.
 *
 * @module
 */
import { resolve } from 'node:path'
import type { Guest, GuestHost, GuestIdentity, IncomingGuest } from '@godwit/core'
import { GodwitError, formatBytes } from '@godwit/core'
import type { ParsedGuest, WorkloadHost } from '@godwit/guest'
import {
  IncomingWorkload,
  parseGuest as parseWorkload,
  WORKLOAD_KINDS,
  WorkloadGuest,
} from '@godwit/guest'
import {
  IncomingMemcached,
  MEMCACHED_KIND,
  MemcachedGuest,
  MemcachedHost,
  type ParsedMemcached,
  type Place,
  parseMemcached,
} from '@godwit/memcached'
import {
  formatPlace,
  IncomingQemu,
  parseQemu,
  placeOf,
  QEMU_KIND,
  QemuFileGuest,
  QemuHost,
  QemuStreamGuest,
  streamPlaceOf,
  type VmPlace,
  vmPlaceOf,
} from '@godwit/qemu'
import { formatHostPort } from '@godwit/transport'
import type { HostOptions } from './host-option.ts'
import { startBehindRelay } from './relayed.ts'

/** A guest that was started here, or that was found running. */
export interface StartedGuest extends Guest {
  /** Resolves, with the reason, when the guest dies; else never. */
  readonly failed: Promise<GodwitError>
  /** It runs at the destination; told as soon as that is known. */
  handedOver?(): void
  /** Ends it, or lets go of one that is somebody else's; its memory stays readable. */
  stop(): Promise<void>
  /** It is the other side's for good, and nobody needs it here any more; {@link stop} follows. */
  moved?(): Promise<void>
}

const warmupDefaultMs = 1000

/** How long to wait before it moves. @param asked - if somebody said so */
export function warmupOf(guest: StartedGuest, asked: number | undefined): number {
  return asked ?? (isOthers(guest) ? 0 : warmupDefaultMs)
}

/** Of all regions. */
export function memoryOf({ regions }: Pick<Guest, 'regions'>): number {
  return regions.reduce((sum, { bytes }) => sum + bytes.length, 0)
}

/** Whether somebody else started it, and it goes on without this process. */
export function isOthers(guest: StartedGuest): boolean {
  return guest instanceof QemuFileGuest || guest instanceof QemuStreamGuest
}

/** What is done first, for people. @param memoryBytes - 0: not known yet */
export function beginningOf({ kind }: GuestIdentity, memoryBytes: number): string {
  const what = kind === QEMU_KIND ? 'moving a VM of QEMU' : `starting ${kind}`
  return memoryBytes === 0 ? what : `${what}, ${formatBytes(memoryBytes)}`
}

/**
 * Reads `NAME[,key=value...]`.
 *
 * @param memoryBytes - undefined: what is usual for the kind
 * @throws {GodwitError} `GUEST_UNKNOWN`, `GUEST_OPTION`, `FILE_UNREADABLE`, `USAGE`
 */
export function parseGuest(
  text: string,
  memoryBytes: number | undefined,
): ParsedGuest | ParsedMemcached {
  const [kind = ''] = text.split(',')
  if (kind === MEMCACHED_KIND) return parseMemcached(text, memoryBytes)
  if (kind === QEMU_KIND) return parseQemu(text, memoryBytes)
  if (!WORKLOAD_KINDS.some((known) => known === kind)) {
    const known = [...WORKLOAD_KINDS, MEMCACHED_KIND, QEMU_KIND].join(', ')
    throw new GodwitError('GUEST_UNKNOWN', `There is no guest "${kind}"; the guests are ${known}`)
  }
  return parseWorkload(text, memoryBytes)
}

/** Options of guests that are names of files. */
const fileOptions: ReadonlySet<string> = new Set(['file', 'qmp', 'ram', 'relay'])

/** With names of files that begin at the root folder. @param directory - where they began */
export function absoluteGuest(text: string, directory: string): string {
  const parts = text.split(',').map((part) => {
    const [, name = '', value = ''] = /^(\w+)=(.+)$/.exec(part) ?? []
    return fileOptions.has(name) ? `${name}=${resolve(directory, value)}` : part
  })
  return parts.join(',')
}

/** Where the VM is; undefined where the guest is none. */
export function placeOfVm({ identity }: ReturnType<typeof parseGuest>): VmPlace | undefined {
  return identity.kind === QEMU_KIND ? vmPlaceOf(identity) : undefined
}

/** {@link parseGuest}, of guests that can be started. */
export function parseStartable(
  text: string,
  memoryBytes: number | undefined,
): ReturnType<typeof parseGuest> {
  const parsed = parseGuest(text, memoryBytes)
  if (parsed.identity.kind !== QEMU_KIND) return parsed
  throw new GodwitError('USAGE', 'A VM of QEMU is not started by this; see docs/QEMU.md')
}

/** Options of a start. */
export interface StartOptions {
  readonly pageBytes?: number
  /** The destination, as it was written; undefined while there is none. */
  readonly to?: string
}

/**
 * Starts a guest, or finds the one that runs.
 *
 * @param tell - where it listens, if it does, and what becomes of its relay
 */
export async function startGuest(
  parsed: ParsedGuest | ParsedMemcached,
  options: StartOptions,
  tell: (text: string) => void,
): Promise<StartedGuest> {
  const { identity, memoryBytes } = parsed
  if (identity.kind === QEMU_KIND) return attachQemu(identity)
  if (identity.kind !== MEMCACHED_KIND) {
    return WorkloadGuest.start(identity, memoryBytes, options)
  }
  const guest = await MemcachedGuest.start(identity, memoryBytes, options)
  tell(listening(guest.place))
  const relay = 'relay' in parsed ? parsed.relay : undefined
  return relay === undefined ? guest : startBehindRelay(guest, relay, options.to, tell)
}

function attachQemu(identity: GuestIdentity): Promise<StartedGuest> {
  const streamed = streamPlaceOf(identity)
  if (streamed !== undefined) return QemuStreamGuest.attach(streamed)
  return QemuFileGuest.attach(placeOf(identity))
}

function listening({ host, port }: Place): string {
  return `memcached listens on ${formatHostPort(host, port)}`
}

/** A guest that came and is whole here, to be moved on. */
export function onward(guest: IncomingGuest): StartedGuest {
  const isKnown = guest instanceof IncomingWorkload || guest instanceof IncomingMemcached
  if (isKnown) return guest.asGuest()
  throw new GodwitError('GUEST_UNKNOWN', 'A guest of this kind cannot be moved on')
}

/** Takes in all kinds. */
export interface GuestsHost extends GuestHost {
  /** Guests that can go on without this process do so from here on, also when they are released. */
  leaveRunning(): void
}

/** Whether it can go on without this process. */
export function outlivesUs(guest: IncomingGuest | undefined): boolean {
  return guest instanceof IncomingQemu
}

/**
 * Makes room for all kinds.
 *
 * @param workloads - counts the memory of all of them
 * @param options - how guests of a kind are taken in
 * @param tellVm - where the QEMU of a VM is that is on its way
 * @throws {GodwitError} `FILE_UNREADABLE`, `GUEST_OPTION`
 */
export function hostGuests(
  workloads: WorkloadHost,
  tell: (text: string) => void,
  { memcached: listen, qemu: place }: HostOptions = {},
  tellVm: (vm: IncomingQemu) => void = ({ pid, place: vm, ramPaths }) => {
    const files = 'ram' in vm ? '' : `, its memory to ${ramPaths.join(' and ')}`
    tell(`the VM comes to QEMU process ${pid}${files}; to move on from here: ${formatPlace(vm)}`)
  },
): GuestsHost {
  const takeRoom = (bytes: number): ReturnType<WorkloadHost['takeRoom']> =>
    workloads.takeRoom(bytes)
  const memcached = new MemcachedHost(takeRoom, listen)
  const qemu = place && new QemuHost({ place, takeRoom, onReserved: tellVm })
  return {
    async reserve(offer, zero, agreed) {
      const { kind } = offer.identity
      if (kind === QEMU_KIND) {
        if (qemu !== undefined) return qemu.reserve(offer, zero, agreed)
        const text = 'No VMs are taken in here: that takes --guest qemu,config=FILE'
        throw new GodwitError('GUEST_UNKNOWN', text)
      }
      if (kind !== MEMCACHED_KIND) return workloads.reserve(offer, zero)
      const guest = await memcached.reserve(offer, zero)
      tell(`${listening(guest.place)}; clients wait until the guest is here`)
      return guest
    },
    leaveRunning: () => qemu?.leaveRunning(),
  }
}
