/**
 * Where an export goes: a file takes the place of the one before only once it is whole, and is for
 * its owner only; the catalog itself is no place for it.
 *
 * @module
 */
import { createWriteStream, realpathSync, renameSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { parseCatalogUrl } from '@godwit/catalog'
import { GodwitError } from '@godwit/core'

const ownerOnly = 0o600
/** What SQLite keeps beside a database. */
const besides = ['', '-wal', '-shm', '-journal'] as const

/**
 * Writes lines to a file, or to what else is there, like a pipe.
 *
 * @param file - not `-`
 * @throws {GodwitError} `FILE_UNWRITABLE`, and what the lines throw: what was there stays
 */
export async function writeLines(file: string, lines: AsyncIterable<string>): Promise<void> {
  const place = realPath(file)
  const found = statSync(place, { throwIfNoEntry: false })
  try {
    if (found !== undefined && !found.isFile()) await pipeline(lines, createWriteStream(place))
    else await replace(place, lines)
  } catch (thrown) {
    if (thrown instanceof GodwitError) throw thrown
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    throw new GodwitError('FILE_UNWRITABLE', `${file} cannot be written: ${reason}`)
  }
}

async function replace(file: string, lines: AsyncIterable<string>): Promise<void> {
  const fresh = `${file}.${process.pid}.tmp`
  // What another has left under this name is not ours to remove.
  const handle = await open(fresh, 'wx', ownerOnly)
  try {
    await pipeline(lines, handle.createWriteStream({ flush: true }))
    renameSync(fresh, file)
  } catch (thrown) {
    await handle.close().catch(() => {})
    rmSync(fresh, { force: true })
    throw thrown
  }
}

/**
 * Refuses to write over the catalog that is read.
 *
 * @throws {GodwitError} `USAGE`
 */
export function checkTarget(file: string, url: string): void {
  const { kind, target } = parseCatalogUrl(url)
  if (kind !== 'sqlite' || file === '-') return
  for (const suffix of besides) {
    if (!isSame(file, `${realPath(target)}${suffix}`)) continue
    throw new GodwitError('USAGE', `${file} is part of the catalog; export it to another file`)
  }
}

/** Also where one of the two, or both, are not there yet. */
function isSame(a: string, b: string): boolean {
  if (realPath(a) === realPath(b)) return true
  const [one, other] = [a, b].map((path) => statSync(path, { throwIfNoEntry: false }))
  return one !== undefined && one.dev === other?.dev && one.ino === other.ino
}

/** Of a file that need not be there. */
function realPath(file: string): string {
  const path = resolve(file)
  try {
    return realpathSync(path)
  } catch {
    try {
      return join(realpathSync(dirname(path)), basename(path))
    } catch {
      return path
    }
  }
}
