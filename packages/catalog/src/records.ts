/**
 * What the catalog knows: guests, machines, the links between them, and the static maps that were
 * learnt of each pair of operating system and hypervisor.
 *
 * @module
 */

/** Software in one version; another version is another thing altogether, as in ESCDR. */
export interface Release {
  readonly name: string
  readonly version: string
}

/** What ESCDR's list is indexed by: one element for each operating system on each hypervisor. */
export interface Pair {
  readonly os: Release
  readonly hypervisor: Release
}

export const VM_STATES = ['running', 'stopped', 'migrating', 'stored'] as const
export type VmState = (typeof VM_STATES)[number]

/** When an entry was written, and until when it holds; all by the clock of the database. */
export interface Lease {
  readonly updatedMs: number
  /** When its agent was heard of last; null for an entry made by hand, which never expires. */
  readonly heartbeatMs: number | null
  /** How long after the last heartbeat it still holds. */
  readonly leaseMs: number | null
}

/** A guest. */
export interface VmRecord extends Lease {
  /** Stays the same when it moves or is renamed. */
  readonly id: string
  readonly name: string
  /** Null when nobody said; such a guest is like no other. */
  readonly os: Release | null
  readonly hypervisor: Release | null
  /** Where it runs, or, when `stored`, where its memory lies. */
  readonly machine: string
  readonly memoryBytes: number
  readonly pageBytes: number
  readonly state: VmState
  /** A file on `machine` that holds its memory. */
  readonly memoryPath: string | null
  /** The agent that keeps this entry; null for one made by hand. */
  readonly agent: string | null
  /** The migration it is in, while `migrating`. */
  readonly session: string | null
  /** One more with every hand-over, so that an agent that is late changes nothing. */
  readonly epoch: number
}

/** A machine that takes guests. */
export interface MachineRecord extends Lease {
  readonly name: string
  readonly memoryBytes: number
  readonly freeBytes: number
  /** Runnable tasks per core: 1 is a machine that is just busy. */
  readonly load: number
  /** Where its agent listens, as `HOST:PORT`; null when it does not. */
  readonly address: string | null
  readonly agent: string | null
}

/** The way from one machine to another; the way back is a link of its own. */
export interface LinkRecord {
  readonly source: string
  readonly destination: string
  /** What it costs to use, in units that the operator chooses; less is better. */
  readonly cost: number
  readonly bandwidthBytesPerSecond: number
  readonly updatedMs: number
}

/** A static map without its bytes. */
export interface MapRecord extends Pair {
  readonly pageBytes: number
  /** Counts up from 1 within a pair and page size. */
  readonly version: number
  /** SHA-256 of its bytes, in hex. */
  readonly digest: string
  readonly bytesLength: number
  readonly updatedMs: number
}

/** What was learnt of a pair so far, without its bytes. */
export interface LearningRecord extends Pair {
  readonly pageBytes: number
  /** One more with every change, so that of two who learn at once none is lost unseen. */
  readonly revision: number
  /** SHA-256 of its bytes, in hex. */
  readonly digest: string
  readonly bytesLength: number
  readonly updatedMs: number
}

/** Whether an entry holds at `nowMs` of the database's clock. */
export function isLive({ heartbeatMs, leaseMs }: Lease, nowMs: number): boolean {
  return heartbeatMs === null || leaseMs === null || heartbeatMs + leaseMs > nowMs
}

/** Whether two are of one pair; what is unknown is like nothing. */
export function samePair(a: PairOrUnknown, b: PairOrUnknown): boolean {
  return sameRelease(a.os, b.os) && sameRelease(a.hypervisor, b.hypervisor)
}

type PairOrUnknown = { readonly [K in keyof Pair]: Pair[K] | null }

function sameRelease(a: Release | null, b: Release | null): boolean {
  if (a === null || b === null) return false
  return a.name === b.name && a.version === b.version
}
