/**
 * Files with keys of stored images: what `receive --images-out` writes and `send --images` reads.
 *
 * @module
 */
import { accessSync, constants, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { GodwitError } from '@godwit/core'
import type { IncomingMigration } from '@godwit/destination'
import { formatImageKeys, parseImageKeys } from 'godwit'
import { readSecret } from './security-options.ts'

/** Sixteen keys take 3 KiB. */
const fileBytesMax = 65_536

/** @throws {GodwitError} `FILE_UNREADABLE`, `USAGE`: others can read it */
export function readImageKeys(file: string): IncomingMigration['images'] {
  const text = new TextDecoder().decode(readSecret(file, fileBytesMax))
  try {
    return parseImageKeys(text)
  } catch (thrown) {
    const reason = 'has no keys of stored images; `godwit receive --images-out` writes such a file'
    throw new GodwitError('FILE_UNREADABLE', `${file} ${reason}`, { cause: thrown })
  }
}

/**
 * In the place of those of a guest before.
 *
 * @throws {GodwitError} `FILE_UNWRITABLE`
 */
export function writeImageKeys(file: string, images: IncomingMigration['images']): void {
  const fresh = `${file}.${process.pid}.tmp`
  try {
    writeFileSync(fresh, formatImageKeys(images), { mode: 0o600, flag: 'wx' })
    renameSync(fresh, file)
  } catch (thrown) {
    rmSync(fresh, { force: true })
    throw unwritable(file, thrown)
  }
}

/**
 * Fails before a guest comes, not after it.
 *
 * @throws {GodwitError} `FILE_UNWRITABLE`, `USAGE`
 */
export function checkPlace(file: string): void {
  if (file === '') throw new GodwitError('USAGE', '--images-out needs the path of a file')
  try {
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) {
      throw new Error('it is a directory')
    }
    accessSync(dirname(resolve(file)), constants.W_OK)
  } catch (thrown) {
    throw unwritable(file, thrown)
  }
}

function unwritable(file: string, thrown: unknown): GodwitError {
  const reason = thrown instanceof Error ? thrown.message : String(thrown)
  return new GodwitError('FILE_UNWRITABLE', `${file} cannot be written: ${reason}`)
}
