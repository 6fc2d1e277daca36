/**
 * What an agent's process uses for a migration.
 *
 * @module
 */

/** One per migration; handed in, since only the runtime can measure. */
export interface UsageMeter {
  /** Start of the migration: later values are relative to now. */
  start(): void
  /** `guestBytes` of guest memory became resident since the start: they do not count. */
  exclude(guestBytes: number): void
  /** CPU seconds of the agent and peak resident growth. */
  read(): { cpuSeconds?: number; overheadBytes?: number }
}
