/**
 * The tables, version by version. What was released is never changed: a new version follows.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import type { CatalogPlace } from './catalog-url.ts'
import type { Database, Statements } from './database.ts'
import { unknownCatalog } from './database.ts'

const releases = `os_name TEXT NOT NULL, os_version TEXT NOT NULL,
  hypervisor_name TEXT NOT NULL, hypervisor_version TEXT NOT NULL, page_bytes BIGINT NOT NULL`
const lease = 'updated_ms BIGINT NOT NULL, heartbeat_ms BIGINT, lease_ms BIGINT'
const blob = `digest TEXT NOT NULL, bytes_length BIGINT NOT NULL, bytes BYTEA NOT NULL,
  updated_ms BIGINT NOT NULL`
const pair = 'os_name, os_version, hypervisor_name, hypervisor_version, page_bytes'

const version1 = [
  `CREATE TABLE godwit_machine (name TEXT PRIMARY KEY, memory_bytes BIGINT NOT NULL,
    free_bytes BIGINT NOT NULL, load DOUBLE PRECISION NOT NULL, address TEXT, agent TEXT,
    ${lease})`,
  `CREATE TABLE godwit_link (source TEXT NOT NULL, destination TEXT NOT NULL,
    cost DOUBLE PRECISION NOT NULL, bandwidth_bytes_per_second BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL, PRIMARY KEY (source, destination))`,
  `CREATE TABLE godwit_vm (name TEXT PRIMARY KEY, id TEXT NOT NULL, os_name TEXT, os_version TEXT,
    hypervisor_name TEXT, hypervisor_version TEXT, machine TEXT NOT NULL,
    memory_bytes BIGINT NOT NULL, page_bytes BIGINT NOT NULL, state TEXT NOT NULL,
    memory_path TEXT, agent TEXT, session TEXT, epoch BIGINT NOT NULL, ${lease})`,
  `CREATE TABLE godwit_map (${releases}, version BIGINT NOT NULL, ${blob},
    PRIMARY KEY (${pair}, version))`,
  `CREATE TABLE godwit_learning (${releases}, revision BIGINT NOT NULL, ${blob},
    PRIMARY KEY (${pair}))`,
]

/** Statements that lead from one version to the next. */
export const MIGRATIONS: readonly (readonly string[])[] = [version1]

/**
 * Makes the tables what this release expects, whoever else tries to at the same time.
 *
 * @param lookedAt - where it is, for who only looks: no tables are made there
 * @throws {GodwitError} `CATALOG_VERSION`: a newer release made it; `CATALOG_UNKNOWN`
 */
export async function migrate(
  database: Database,
  migrations: readonly (readonly string[])[] = MIGRATIONS,
  lookedAt?: CatalogPlace,
): Promise<void> {
  // Whoever may only read can use a catalog that is up to date.
  const isThere = await database.hasTable('godwit_schema')
  if (!isThere && lookedAt !== undefined) throw unknownCatalog(lookedAt)
  if (isThere && (await versionOf(database)) === migrations.length) return
  await database.transaction(async (statements) => {
    await statements.query('CREATE TABLE IF NOT EXISTS godwit_schema (version BIGINT NOT NULL)')
    await database.mark(statements)
    const version = await versionOf(statements)
    if (version > migrations.length) {
      const versions = `version ${version}, this release knows ${migrations.length}`
      throw new GodwitError('CATALOG_VERSION', `A newer release made this catalog: ${versions}`)
    }
    for (const statement of migrations.slice(version).flat()) await statements.query(statement)
    await statements.query('DELETE FROM godwit_schema')
    await statements.query('INSERT INTO godwit_schema (version) VALUES ($1)', [migrations.length])
  })
}

async function versionOf(statements: Statements): Promise<number> {
  const sql = 'SELECT coalesce(max(version), 0) AS version FROM godwit_schema'
  const [row] = await statements.query(sql)
  return Number(row!['version'])
}
