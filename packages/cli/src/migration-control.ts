/**
 * What an operator may change of a migration that goes on, by name: `set` and `recover`.
 *
 * @module
 */
import { GodwitError, parseRate } from '@godwit/core'
import type { Migration } from 'godwit'
import type { ControlOptions } from './control-socket.ts'

/** @throws {GodwitError} `TOO_LATE`, `USAGE` */
export function setOptions(migration: Migration | undefined, options: ControlOptions): object {
  const going = goingOn(migration)
  for (const [name, value] of Object.entries(options)) {
    if (name !== 'max-bandwidth') {
      throw new GodwitError('USAGE', `"${name}" cannot be set; there is max-bandwidth`)
    }
    going.limitBandwidth(value === 'none' ? Infinity : parseRate(value))
  }
  return options
}

/**
 * Reaches for the destination again or, where the operator vouches for its end, goes on here.
 *
 * @throws {GodwitError} `TOO_LATE`
 */
export function recover(migration: Migration | undefined, { fenced }: ControlOptions): object {
  if (migration?.isSuspended !== true) {
    throw new GodwitError('TOO_LATE', 'The destination is not lost here')
  }
  if (fenced !== 'true') {
    migration.recover()
    return { recovering: true }
  }
  return { takenOver: true, ...migration.takeOver() }
}

/** @throws {GodwitError} `TOO_LATE` */
export function goingOn(migration: Migration | undefined): Migration {
  if (migration === undefined) throw new GodwitError('TOO_LATE', 'No migration is going on')
  return migration
}
