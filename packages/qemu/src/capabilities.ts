/**
 * QEMU's switches of a migration: set so that memory which is a shared file stays where it is, and
 * set back to what they were.
 *
 * @module
 */
import type { QmpClient } from './qmp.ts'

/** One switch and whether it is on. */
export interface Capability {
  readonly capability: string
  readonly state: boolean
}

/** Shared RAM is not in the stream; QEMU tells by events how far it is. */
const wanted: ReadonlySet<string> = new Set(['x-ignore-shared', 'events'])
/** RAM that QEMU streams: it throttles the VM by itself, where somebody has told it to. */
const wantedOfStream: ReadonlySet<string> = new Set(['events'])
const leftOfStream: ReadonlySet<string> = new Set(['auto-converge', 'dirty-limit'])
/** At the destination: disks are its own from `cont` on, not before. */
const late = 'late-block-activate'

/** What a QEMU is made ready for. */
export type MigrationSide = 'source' | 'destination' | 'stream-source' | 'stream-destination'

const wantedBySide: Readonly<Record<MigrationSide, ReadonlySet<string>>> = {
  source: wanted,
  destination: new Set([...wanted, late]),
  'stream-source': wantedOfStream,
  'stream-destination': new Set([...wantedOfStream, late]),
}

/**
 * Turns on what is needed, and all else off: whatever somebody left on (`multifd`, `postcopy-ram`)
 * would change the stream.
 *
 * @returns what differs from how it was before, as it was
 * @throws {QmpRefusal} this QEMU has no `x-ignore-shared`
 */
export async function setCapabilities(
  qmp: QmpClient,
  side: MigrationSide,
): Promise<readonly Capability[]> {
  const names = wantedBySide[side]
  const left = side === 'stream-source' ? leftOfStream : new Set()
  const before = await qmp.execute<readonly Capability[]>('query-migrate-capabilities')
  const known = new Set(before.map(({ capability }) => capability))
  const changed = before.filter(({ capability, state }) => {
    return names.has(capability) !== state && !left.has(capability)
  })
  // One that QEMU does not know is asked for all the same: its refusal tells so.
  const lacking = [...names].filter((name) => name === 'x-ignore-shared' && !known.has(name))
  const capabilities = [
    ...changed.map(({ capability, state }) => ({ capability, state: !state })),
    ...lacking.map((capability) => ({ capability, state: true })),
  ]
  if (capabilities.length > 0) await qmp.execute('migrate-set-capabilities', { capabilities })
  return changed
}

/** Sets them as they were. */
export async function resetCapabilities(
  qmp: QmpClient,
  capabilities: readonly Capability[],
): Promise<void> {
  if (capabilities.length > 0) await qmp.execute('migrate-set-capabilities', { capabilities })
}
