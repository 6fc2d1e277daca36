/**
 * `send`: move a guest to a destination that listens.
 *
 * @module
 */
import type { Guest, HashName, MigrationMode, Report, StageReport, VerifyMode } from '@godwit/core'
import { PAGE_BYTES_DEFAULT, checkPageBytes, systemClock } from '@godwit/core'
import { STOP_DEFAULT, parseStop } from '@godwit/policy'
import type { SourceOptions, TrackerChoice } from '@godwit/source'
import { SourceMigration } from '@godwit/source'
import { createDialler, parseAddress, requireSecureOrLoopback } from '@godwit/transport'
import type { MemoryGuest } from './memory.ts'
import { memoryGuest } from './memory.ts'
import { SOFTWARE, createUsageMeter, nodeHashes, randomBytes } from './runtime.ts'

/** How to send; everything has a default but the address. */
export interface SendOptions {
  /** `HOST:PORT` or `ws://HOST:PORT`. */
  readonly to: string
  readonly mode?: MigrationMode
  /** Stop rules, as `--stop` takes them. Default `downtime=300ms,max-rounds=30,few-dirty=50`. */
  readonly stop?: string
  readonly hash?: HashName
  readonly verify?: VerifyMode
  readonly encode?: 'none' | 'raw'
  readonly tracker?: TrackerChoice
  readonly pageBytes?: number
  /** Cap on bandwidth while the guest runs, bytes per second. */
  readonly maxBandwidth?: number
  /** Cap on bandwidth while the guest is paused; by default that of the rounds. */
  readonly pauseBandwidth?: number
  /** Send off loopback although nobody is authenticated. */
  readonly insecure?: boolean
  /** Aborting cancels, as long as the guest has not been handed over. */
  readonly signal?: AbortSignal
  readonly prove?: SourceOptions['prove']
  readonly onStage?: (stage: StageReport) => void
}

function isGuest(guest: Guest | MemoryGuest): guest is Guest {
  return 'regions' in guest
}

/**
 * Checks what can be checked of a destination before anything is begun.
 *
 * @throws {GodwitError} `ADDRESS_INVALID`, `INSECURE_ADDRESS`
 */
export function checkDestination(to: string, insecure = false): void {
  requireSecureOrLoopback(parseAddress(to).host, insecure)
  createDialler(to)
}

/**
 * Prepares a migration without starting it: for progress and cancel. `run()` moves the guest.
 *
 * @throws {GodwitError} `ADDRESS_INVALID`, `INSECURE_ADDRESS`, `USAGE`
 */
export async function createMigration(
  guest: Guest | MemoryGuest,
  options: SendOptions,
): Promise<SourceMigration> {
  checkDestination(options.to, options.insecure)
  const meter = createUsageMeter()
  return new SourceMigration({
    dialler: createDialler(options.to),
    guest: isGuest(guest) ? guest : memoryGuest(guest),
    clock: systemClock,
    hashes: await nodeHashes(),
    randomBytes,
    software: SOFTWARE,
    mode: options.mode ?? 'pre-copy',
    stop: parseStop(options.stop ?? STOP_DEFAULT),
    hash: options.hash ?? 'xxh3',
    verify: options.verify ?? 'fingerprints',
    encode: options.encode ?? 'none',
    tracker: options.tracker ?? 'auto',
    pageBytes: checkPageBytes(options.pageBytes ?? PAGE_BYTES_DEFAULT),
    usage: meter,
    ...(options.maxBandwidth === undefined ? {} : { maxBandwidth: options.maxBandwidth }),
    ...(options.pauseBandwidth === undefined ? {} : { pauseBandwidth: options.pauseBandwidth }),
    ...(options.prove === undefined ? {} : { prove: options.prove }),
    ...(options.onStage === undefined ? {} : { onStage: options.onStage }),
  })
}

/**
 * Moves a guest and resolves with the report, whatever the outcome. `report.outcome` is `completed`
 * when the guest runs at the destination; after `failed` and `cancelled` it goes on here, except
 * with error code `OWNERSHIP_IN_DOUBT`, where it stays stopped.
 *
 * @throws {GodwitError} `ADDRESS_INVALID`, `INSECURE_ADDRESS`, `USAGE`: nothing was begun
 */
export async function send(guest: Guest | MemoryGuest, options: SendOptions): Promise<Report> {
  const migration = await createMigration(guest, options)
  return migration.run(options.signal)
}
