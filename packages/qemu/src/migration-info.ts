/**
 * What QEMU says of its own migration.
 *
 * @module
 */
import type { QmpClient } from './qmp.ts'

/** As `query-migrate` has it; what is not there is not known. */
export interface MigrationInfo {
  readonly status?: string
  readonly 'error-desc'?: string
  readonly 'blocked-reasons'?: readonly string[]
  readonly ram?: { readonly remaining?: number; readonly 'dirty-sync-count'?: number }
}

/** What it may be in for a while. */
const transient: ReadonlySet<string> = new Set([
  'setup',
  'active',
  'device',
  'pre-switchover',
  'cancelling',
])

/** @throws {GodwitError} `GUEST_FAILED` */
export function askMigration(qmp: QmpClient): Promise<MigrationInfo> {
  return qmp.execute<MigrationInfo>('query-migrate')
}

/** Whether there is one that is still to end. */
export function isUnderWay({ status = 'none' }: MigrationInfo): boolean {
  return transient.has(status)
}
