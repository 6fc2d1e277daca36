/**
 * Every kind of guest that the commands know: the workloads of `guest`, and `memcached`.
 *
 * @module
 */
import type { Guest, GuestHost } from '@godwit/core'
import { GodwitError } from '@godwit/core'
import type { ParsedGuest, WorkloadHost } from '@godwit/guest'
import { parseGuest as parseWorkload, WORKLOAD_KINDS, WorkloadGuest } from '@godwit/guest'
import {
  MEMCACHED_KIND,
  MemcachedGuest,
  MemcachedHost,
  type ParsedMemcached,
  type Place,
  parseMemcached,
} from '@godwit/memcached'
import { formatHostPort } from '@godwit/transport'
import type { HostOptions } from './host-option.ts'
import { startBehindRelay } from './relayed.ts'

/** A guest that was started here. */
export interface StartedGuest extends Guest {
  /** Resolves, with the reason, when the guest dies; else never. */
  readonly failed: Promise<GodwitError>
  /** It runs at the destination; told as soon as that is known. */
  handedOver?(): void
  /** Ends it; its memory stays readable. */
  stop(): Promise<void>
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
  if (!WORKLOAD_KINDS.some((known) => known === kind)) {
    const known = [...WORKLOAD_KINDS, MEMCACHED_KIND].join(', ')
    throw new GodwitError('GUEST_UNKNOWN', `There is no guest "${kind}"; the guests are ${known}`)
  }
  return parseWorkload(text, memoryBytes)
}

/** Options of a start. */
export interface StartOptions {
  readonly pageBytes?: number
  /** The destination, as it was written. */
  readonly to: string
}

/** Starts a guest. @param tell - where it listens, if it does, and what becomes of its relay */
export async function startGuest(
  parsed: ParsedGuest | ParsedMemcached,
  options: StartOptions,
  tell: (text: string) => void,
): Promise<StartedGuest> {
  const { identity, memoryBytes } = parsed
  if (identity.kind !== MEMCACHED_KIND) {
    return WorkloadGuest.start(identity, memoryBytes, options)
  }
  const guest = await MemcachedGuest.start(identity, memoryBytes, options)
  tell(listening(guest.place))
  const relay = 'relay' in parsed ? parsed.relay : undefined
  return relay === undefined ? guest : startBehindRelay(guest, relay, options.to, tell)
}

function listening({ host, port }: Place): string {
  return `memcached listens on ${formatHostPort(host, port)}`
}

/**
 * Makes room for all kinds.
 *
 * @param workloads - counts the memory of all of them
 * @param options - how guests of a kind are taken in
 */
export function hostGuests(
  workloads: WorkloadHost,
  tell: (text: string) => void,
  options: HostOptions = {},
): GuestHost {
  const memcached = new MemcachedHost((bytes) => workloads.takeRoom(bytes), options.memcached)
  return {
    async reserve(offer, zero) {
      if (offer.identity.kind !== MEMCACHED_KIND) return workloads.reserve(offer, zero)
      const guest = await memcached.reserve(offer, zero)
      tell(`${listening(guest.place)}; clients wait until the guest is here`)
      return guest
    },
  }
}
