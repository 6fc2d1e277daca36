/**
 * A database by its URL.
 *
 * @module
 */
import type { CatalogPlace } from './catalog-url.ts'
import type { Database } from './database.ts'
import { PostgresDatabase } from './postgres-database.ts'
import { SqliteDatabase } from './sqlite-database.ts'

/**
 * @param isNew - whether to make a file where there is none
 * @throws {GodwitError} `USAGE`, `CATALOG_UNKNOWN`, `CATALOG_UNAVAILABLE`
 */
export function openDatabase(place: CatalogPlace, isNew: boolean): Promise<Database> {
  return place.kind === 'sqlite' ? SqliteDatabase.open(place, isNew) : PostgresDatabase.open(place)
}
