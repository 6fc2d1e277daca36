/**
 * What comes back from the destination while pages follow a guest that runs there (`--reverse`).
 * After Kashyap, Dhillon and Purini (RLC - a reliable approach to fast and efficient live migration
 * of virtual machines in the clouds, 2014): the source can take over when the destination dies.
 *
 * @module
 */
import type { MigrationMode } from '@godwit/core'
import {
  CHECKPOINT_MS_MAX,
  CHECKPOINT_MS_MIN,
  GodwitError,
  mayPostCopy,
  parseDurationMs,
} from '@godwit/core'

/** `checkpoint=200ms` or `checkpoint=200` -> how often, in ms. @throws {GodwitError} `USAGE` */
export function parseReverse(text: string): number {
  const match = /^checkpoint=(.+)$/.exec(text)
  if (match === null) {
    throw new GodwitError('USAGE', `reverse: "${text}" is not checkpoint=T, like checkpoint=200ms`)
  }
  const every = match[1]!
  const ms = /^\d+$/.test(every) ? Number(every) : Math.round(parseDurationMs(every))
  if (ms >= CHECKPOINT_MS_MIN && ms <= CHECKPOINT_MS_MAX) return ms
  throw new GodwitError(
    'USAGE',
    `reverse: a checkpoint every ${every}; there is one every ${CHECKPOINT_MS_MIN}ms to 1h`,
  )
}

/** @throws {GodwitError} `USAGE`: checkpoints were asked for in a mode that has no use for them */
export function checkReverse(mode: MigrationMode, reverse: string | undefined): void {
  if (reverse === undefined || mayPostCopy(mode)) return
  throw new GodwitError('USAGE', `reverse ${reverse}: mode ${mode} has no post-copy`)
}
