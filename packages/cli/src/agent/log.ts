/**
 * The agent's log: a line of JSON each, on stderr, made by pino. Peers say some of it; nothing of
 * that is obeyed by a terminal.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import type { Logger } from 'pino'
import { pino } from 'pino'
import { noteJson } from '../output.ts'

/** Quiet ones last. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export type Log = Logger

/** Lines have `level` (a word), `time` (ISO) and `msg`, and what they are about: `guest`, ... */
export function createLog(level: LogLevel): Log {
  const options = {
    level,
    // Whoever collects logs knows process and machine.
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return pino(options, { write: noteJson })
}

/** What a line says of an error. */
export function errorFacts(error: { readonly code: string; readonly message: string }): object {
  return { code: error.code, error: error.message }
}

/** What a line says of contents that the destination had before. */
export function staticFacts({ static: known }: Report): object {
  if (known === undefined) return {}
  const { entries, heldEntries, pages } = known
  return { static: { entries, heldEntries, pages } }
}
