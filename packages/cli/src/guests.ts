/**
 * Every kind of guest that the commands know: the workloads of `guest`, and `memcached`.
 *
 * @module
 */
import type { Guest, GuestHost, GuestIdentity, IncomingGuest } from '@godwit/core'
import { GodwitError } from '@godwit/core'
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

/** A guest that was started here. */
export interface StartedGuest extends Guest {
  /** Resolves, with the reason, when the guest dies; else never. */
  readonly failed: Promise<GodwitError>
  /** Ends it; its memory stays readable. */
  stop(): Promise<void>
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
  if (!WORKLOAD_KINDS.some((known) => known === kind)) {
    const known = [...WORKLOAD_KINDS, MEMCACHED_KIND].join(', ')
    throw new GodwitError('GUEST_UNKNOWN', `There is no guest "${kind}"; the guests are ${known}`)
  }
  return parseWorkload(text, memoryBytes)
}

/** Starts a guest. @param tell - where it listens, if it does */
export async function startGuest(
  identity: GuestIdentity,
  memoryBytes: number,
  options: { readonly pageBytes?: number },
  tell: (text: string) => void,
): Promise<StartedGuest> {
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

/** Makes room for all kinds. @param workloads - counts the memory of all of them */
export function hostGuests(workloads: WorkloadHost, tell: (text: string) => void): GuestHost {
  const memcached = new MemcachedHost((bytes) => workloads.takeRoom(bytes))
  return {
    async reserve(offer, zero) {
      if (offer.identity.kind !== MEMCACHED_KIND) return workloads.reserve(offer, zero)
      const guest = await memcached.reserve(offer, zero)
      tell(`${listening(guest.port)}; clients wait until the guest is here`)
      return guest
    },
  }
}
