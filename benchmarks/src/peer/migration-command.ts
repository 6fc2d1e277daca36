/**
 * QEMU's commands around a migration.
 *
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { QmpClient } from '@godwit/qemu'

/** Never the limit here: the link is. In bytes per second. */
const bandwidthMax = 10 * 2 ** 30
const pollMs = 5

/** How QEMU moves a guest. */
export interface QemuMode {
  readonly name: string
  readonly capabilities: readonly string[]
  /** Of `migrate-set-parameters`, the same at both sides. */
  readonly parameters: Readonly<Record<string, number | string>>
  /** Goes on with post-copy after so many passes; 0: at once. */
  readonly postCopyAfter?: number
}

/** The part of the answer to `query-migrate` that is read. */
export interface MigrationStatus {
  readonly status: string
  /** The whole migration, once it is over. */
  readonly 'total-time'?: number
  readonly ram?: { readonly 'dirty-sync-count': number }
  /** At the destination, after post-copy: how long the guest waited for pages, in ms. */
  readonly 'postcopy-blocktime'?: number
}

/** Tells one side how; `events` makes it say when the status changes. */
export async function applyMode(qmp: QmpClient, mode: QemuMode): Promise<void> {
  const capabilities = ['events', ...mode.capabilities]
  await qmp.execute('migrate-set-capabilities', {
    capabilities: capabilities.map((capability) => ({ capability, state: true })),
  })
  const parameters = { 'max-bandwidth': bandwidthMax, ...mode.parameters }
  await qmp.execute('migrate-set-parameters', parameters)
}

/** Switches a migration that has begun, in modes that do. */
export async function switchToPostCopy(
  qmp: QmpClient,
  { postCopyAfter }: QemuMode,
  limitMs: number,
): Promise<void> {
  if (postCopyAfter === undefined) return
  if (postCopyAfter > 0) {
    const next = postCopyAfter + 1
    await qmp.event(
      ({ name, data }) => name === 'MIGRATION_PASS' && Number(data['pass']) >= next,
      limitMs,
    )
  }
  await qmp.execute('migrate-start-postcopy')
}

/** Waits for the end of an outgoing migration. @throws when it fails or takes too long */
export async function awaitMigration(qmp: QmpClient, limitMs: number): Promise<MigrationStatus> {
  const ended = await qmp.event(
    ({ name, data }) => name === 'MIGRATION' && /^(completed|failed)$/.test(String(data['status'])),
    limitMs,
  )
  if (ended.data['status'] !== 'completed') throw new Error("QEMU's migration failed")
  for (;;) {
    // The event comes a moment before the times are there.
    const status = await qmp.execute<MigrationStatus>('query-migrate')
    if ((status['total-time'] ?? 0) > 0) return status
    await sleep(pollMs)
  }
}
