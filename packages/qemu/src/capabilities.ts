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
/** At the destination: disks are its own from `cont` on, not before. */
const wantedIncoming: ReadonlySet<string> = new Set([...wanted, 'late-block-activate'])

/**
 * Turns on what is needed, and all else off: whatever somebody left on (`multifd`, `postcopy-ram`)
 * would change the stream.
 *
 * @returns what differs from how it was before, as it was
 * @throws {QmpRefusal} this QEMU has no `x-ignore-shared`
 */
export async function setCapabilities(
  qmp: QmpClient,
  side: 'source' | 'destination',
): Promise<readonly Capability[]> {
  const names = side === 'source' ? wanted : wantedIncoming
  const before = await qmp.execute<readonly Capability[]>('query-migrate-capabilities')
  const known = new Set(before.map(({ capability }) => capability))
  const changed = before.filter(({ capability, state }) => names.has(capability) !== state)
  // One that QEMU does not know is asked for all the same: its refusal tells so.
  const lacking = known.has('x-ignore-shared') ? [] : ['x-ignore-shared']
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
