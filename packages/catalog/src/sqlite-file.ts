/**
 * The file of a catalog: whether it is one, and how it is opened. A file of somebody else is not
 * touched, and nothing is written by who only looks.
 *
 * @module
 */
import { chmodSync, closeSync, openSync, statSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { GodwitError } from '@godwit/core'
import type { CatalogPlace } from './catalog-url.ts'
import { unknownCatalog } from './database.ts'

/** Where guests run and what their memory has in common is nobody else's business. */
const ownerOnly = 0o600
/** In the header of a file of ours, for `file` and other programs: "gwct". */
export const APPLICATION_ID = 0x67776374
/** SQLite's own: there is no journal, and it cannot be made. */
const readOnlyCodes: ReadonlySet<unknown> = new Set([8, 14])

/** Which file it is, whatever it is called. */
export interface FileIdentity {
  readonly dev: number
  readonly ino: number
}

/** Undefined where there is none. */
export function identityOf(file: string): FileIdentity | undefined {
  return statSync(file, { throwIfNoEntry: false })
}

/**
 * Opens a file that is a catalog, or, where `isNew`, one that is to become one.
 *
 * @throws {GodwitError} `CATALOG_UNKNOWN`; and what the driver throws
 */
export async function openFile(place: CatalogPlace, isNew: boolean): Promise<DatabaseSync> {
  const { target } = place
  const isEmpty = (statSync(target, { throwIfNoEntry: false })?.size ?? 0) === 0
  if (isEmpty && !isNew) throw unknownCatalog(place)
  if (isEmpty) makeFile(target)
  const database = await connect(target, isNew)
  try {
    if (!isCatalog(database, place) && !isNew) throw unknownCatalog(place)
    database.exec('PRAGMA trusted_schema = OFF')
    return database
  } catch (thrown) {
    database.close()
    throw thrown
  }
}

/** The journal beside it gets the same mode. */
function makeFile(target: string): void {
  closeSync(openSync(target, 'a', ownerOnly))
  chmodSync(target, ownerOnly)
}

async function connect(target: string, isNew: boolean): Promise<DatabaseSync> {
  const { DatabaseSync } = await import('node:sqlite')
  // No waiting inside: that would stop the thread, and with it an agent's migrations.
  const options = { timeout: 0 }
  const database = new DatabaseSync(target, options)
  try {
    database.enableDefensive(true)
    tablesOf(database)
    return database
  } catch (thrown) {
    const { errcode } = thrown as { errcode?: number }
    const isJournalled = (statSync(`${target}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0
    if (isNew || isJournalled || !readOnlyCodes.has(errcode && errcode & 0xff)) return database
    database.close()
    // Who may read the file, and make nothing beside it. Nobody writes now: it is read as it is.
    const url = pathToFileURL(target)
    url.search = 'immutable=1'
    return new DatabaseSync(url, { ...options, readOnly: true })
  }
}

/**
 * Whether it is one, or may become one.
 *
 * @throws {GodwitError} `CATALOG_UNKNOWN`: it is somebody else's
 */
function isCatalog(database: DatabaseSync, { name }: CatalogPlace): boolean {
  const tables = tablesOf(database)
  if (tables.includes('godwit_schema')) return true
  const { application_id: application } = database.prepare('PRAGMA application_id').get() as {
    readonly application_id: number
  }
  if (tables.length === 0 && (application === 0 || application === APPLICATION_ID)) return false
  const text = `${name} is a database of something else, and is left as it is`
  throw new GodwitError('CATALOG_UNKNOWN', text)
}

function tablesOf(database: DatabaseSync): readonly unknown[] {
  const sql = "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
  return database
    .prepare(sql)
    .all()
    .map(({ name }) => name)
}
