/**
 * What this side's process uses for a migration.
 *
 * @module
 */

/** One per migration. */
export interface UsageMeter {
  /** Start of the migration: later values are relative to now. */
  start(): void
  /** `guestBytes` of guest memory became resident since the start: they do not count. */
  exclude(guestBytes: number): void
  read(): { cpuSeconds?: number; overheadBytes?: number }
}
