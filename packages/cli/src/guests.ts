/**
 * Every kind of guest that the commands know: the workloads of `guest`, `memcached`, and `qemu`.
 *
 * @module
 */
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
  parseMemcached,
} from '@godwit/memcached'
import type { QemuHostPlace } from '@godwit/qemu'
import { IncomingQemu, parseQemu, placeOf, QEMU_KIND, QemuFileGuest, QemuHost } from '@godwit/qemu'

/** A guest that was started here, or that was found running. */
export interface StartedGuest extends Guest {
  /** Resolves, with the reason, when the guest dies; else never. */
  readonly failed: Promise<GodwitError>
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

/** Whether somebody else started it, and it goes on without this process. */
export function isOthers(guest: StartedGuest): boolean {
  return guest instanceof QemuFileGuest
}

/** What is done first, for people. */
export function beginningOf({ kind }: GuestIdentity, memoryBytes: number): string {
  const what = kind === QEMU_KIND ? 'moving a VM of QEMU' : `starting ${kind}`
  return `${what}, ${formatBytes(memoryBytes)}`
}

/**
 * Reads `NAME[,key=value...]`.
 *
 * @param memoryBytes - undefined: what is usual for the kind
 * @throws {GodwitError} `GUEST_UNKNOWN`, `GUEST_OPTION`, `FILE_UNREADABLE`, `USAGE`
 */
export function parseGuest(text: string, memoryBytes: number | undefined): ParsedGuest {
  const [kind = ''] = text.split(',')
  if (kind === MEMCACHED_KIND) return parseMemcached(text, memoryBytes)
  if (kind === QEMU_KIND) return parseQemu(text, memoryBytes)
  if (!WORKLOAD_KINDS.some((known) => known === kind)) {
    const known = [...WORKLOAD_KINDS, MEMCACHED_KIND, QEMU_KIND].join(', ')
    throw new GodwitError('GUEST_UNKNOWN', `There is no guest "${kind}"; the guests are ${known}`)
  }
  return parseWorkload(text, memoryBytes)
}

/** {@link parseGuest}, of guests that can be started. */
export function parseStartable(text: string, memoryBytes: number | undefined): ParsedGuest {
  const parsed = parseGuest(text, memoryBytes)
  if (parsed.identity.kind !== QEMU_KIND) return parsed
  throw new GodwitError('USAGE', 'A VM of QEMU is not started by this; see docs/QEMU.md')
}

/** Starts a guest, or finds the one that runs. @param tell - where it listens, if it does */
export async function startGuest(
  identity: GuestIdentity,
  memoryBytes: number,
  options: { readonly pageBytes?: number },
  tell: (text: string) => void,
): Promise<StartedGuest> {
  if (identity.kind === QEMU_KIND) return QemuFileGuest.attach(placeOf(identity))
  if (identity.kind !== MEMCACHED_KIND) {
    return WorkloadGuest.start(identity, memoryBytes, options)
  }
  const guest = await MemcachedGuest.start(identity, memoryBytes, options)
  tell(listening(guest.port))
  return guest
}

function listening(port: number): string {
  return `memcached listens on 127.0.0.1:${port}`
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
 * @param vms - how VMs of QEMU are taken in; undefined: not at all
 * @throws {GodwitError} `FILE_UNREADABLE`, `GUEST_OPTION`
 */
export function hostGuests(
  workloads: WorkloadHost,
  tell: (text: string) => void,
  vms: QemuHostPlace | undefined,
): GuestsHost {
  const takeRoom = (bytes: number): ReturnType<WorkloadHost['takeRoom']> =>
    workloads.takeRoom(bytes)
  const memcached = new MemcachedHost(takeRoom)
  const onReserved = ({ place: { pid, qmp, ram } }: IncomingQemu): void => {
    tell(`the VM comes to QEMU process ${pid}; to move on from here: qemu,qmp=${qmp},ram=${ram}`)
  }
  const qemu = vms && new QemuHost({ place: vms, takeRoom, onReserved })
  return {
    async reserve(offer, zero) {
      const { kind } = offer.identity
      if (kind === QEMU_KIND) {
        if (qemu !== undefined) return qemu.reserve(offer, zero)
        const text = 'No VMs are taken in here: receive needs --guest qemu,config=FILE for them'
        throw new GodwitError('GUEST_UNKNOWN', text)
      }
      if (kind !== MEMCACHED_KIND) return workloads.reserve(offer, zero)
      const guest = await memcached.reserve(offer, zero)
      tell(`${listening(guest.port)}; clients wait until the guest is here`)
      return guest
    },
    leaveRunning: () => qemu?.leaveRunning(),
  }
}
