/**
 * Exit codes, a contract with scripts.
 *
 * @module
 */
import type { GodwitError, Report } from '@godwit/core'

export const ExitCode = {
  Done: 0,
  /** The migration failed; the guest still runs at the source. */
  Failed: 1,
  Usage: 2,
  Cancelled: 3,
  /** Ownership in doubt. */
  InDoubt: 4,
  /** The guest is at the destination; the source's copy is kept. */
  Unverified: 5,
  /** Lost in post-copy: the guest waits at the destination for pages that never come. */
  Stranded: 6,
  /** The destination died in post-copy; the guest goes on at the source from an older state. */
  TakenOver: 7,
  /** The guest died with the process that held it. */
  LostWithHost: 8,
} as const
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

const failures: Readonly<Record<string, ExitCode>> = {
  OWNERSHIP_IN_DOUBT: ExitCode.InDoubt,
  POST_COPY_LOST: ExitCode.Stranded,
  TAKEN_OVER: ExitCode.TakenOver,
  LOST_WITH_HOST: ExitCode.LostWithHost,
}

/** What a finished migration exits with. */
export function exitCodeOf(report: Report): ExitCode {
  switch (report.outcome) {
    case 'completed':
      return report.error === undefined ? ExitCode.Done : ExitCode.Unverified
    case 'cancelled':
      return ExitCode.Cancelled
    case 'failed':
      return failures[report.error?.code ?? ''] ?? ExitCode.Failed
  }
}

const usageCodes: ReadonlySet<string> = new Set([
  'USAGE',
  'GUEST_UNKNOWN',
  'GUEST_OPTION',
  'FILE_UNREADABLE',
  'FILE_UNWRITABLE',
  'INSECURE_ADDRESS',
  'ADDRESS_INVALID',
  'ADDRESS_IN_USE',
  'ADDRESS_UNAVAILABLE',
  'CATALOG_ENTRY',
  'CATALOG_UNKNOWN',
])

/** What an error before any migration exits with. */
export function exitCodeOfError(error: GodwitError): ExitCode {
  if (error.code === 'CANCELLED') return ExitCode.Cancelled
  return usageCodes.has(error.code) ? ExitCode.Usage : ExitCode.Failed
}
