/**
 * ESCDR's list: for each pair of operating system and hypervisor the static maps that were learnt,
 * and the state of learning. What is in the bytes is not the catalog's business; that they are the
 * bytes that were stored is.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { GodwitError, LimitError } from '@godwit/core'
import type { Database, Row, Statements, Value } from './database.ts'
import { formatRelease } from './names.ts'
import type { LearningRecord, MapRecord, Pair } from './records.ts'
import { checkRecord } from './schemas.ts'
import type { Columns, Table } from './tables.ts'
import {
  NOW,
  columnsOf,
  insertion,
  learningTable,
  mapTable,
  recordOf,
  replacement,
  whereKey,
} from './tables.ts'

/** Versions of a map that are kept: a migration that began with an old one ends with it. */
export const MAP_VERSIONS_MAX = 8
/** Pairs, with each page size counted. */
export const PAIRS_MAX = 4096

/** Which element of the list. */
export interface MapKey extends Pair {
  readonly pageBytes: number
}

/** A record with its bytes. */
export type WithBytes<T> = T & { readonly bytes: Uint8Array }

/** What one run of learning leaves. */
export interface Learnt extends MapKey {
  /** Of the state that it went on from; 0 where there was none. */
  readonly fromRevision: number
  readonly state: Uint8Array
  /** Undefined before there were samples enough. */
  readonly map: { readonly version: number; readonly bytes: Uint8Array } | undefined
}

const columnsWithoutBytes = 'os_name, os_version, hypervisor_name, hypervisor_version, page_bytes'
const blobColumns = 'digest, bytes_length, updated_ms'
const order = `ORDER BY ${columnsWithoutBytes}`
const whereMapKey = whereKey(learningTable)

export class StaticMaps {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** All versions of all maps, without their bytes. */
  async list(): Promise<readonly MapRecord[]> {
    const columns = `${columnsWithoutBytes}, version, ${blobColumns}`
    const limit = `LIMIT ${PAIRS_MAX * MAP_VERSIONS_MAX}`
    const sql = `SELECT ${columns} FROM ${mapTable.name} ${order}, version ${limit}`
    return (await this.#database.query(sql)).map((row) => recordOf(mapTable, row))
  }

  /** What was learnt of each pair so far, without the bytes. */
  async listLearning(): Promise<readonly LearningRecord[]> {
    const columns = `${columnsWithoutBytes}, revision, ${blobColumns}`
    const sql = `SELECT ${columns} FROM ${learningTable.name} ${order} LIMIT ${PAIRS_MAX}`
    return (await this.#database.query(sql)).map((row) => recordOf(learningTable, row))
  }

  /**
   * The newest map of a pair, or one version of it; undefined where there is none.
   *
   * @throws {GodwitError} `CATALOG_ENTRY`: damaged in the database
   */
  async find(key: MapKey, version?: number): Promise<WithBytes<MapRecord> | undefined> {
    const values = Object.values(keyColumns(key))
    const which = version === undefined ? '' : 'AND version = $6'
    const sql = `SELECT * FROM ${mapTable.name} WHERE ${whereMapKey} ${which}
      ORDER BY version DESC LIMIT 1`
    const more = version === undefined ? [] : [version]
    const [row] = await this.#database.query(sql, [...values, ...more])
    return row === undefined ? undefined : withBytes(mapTable, row)
  }

  /** One version of a map, without its bytes. */
  async describe(key: MapKey, version: number): Promise<MapRecord | undefined> {
    const columns = `${columnsWithoutBytes}, version, ${blobColumns}`
    const sql = `SELECT ${columns} FROM ${mapTable.name} WHERE ${whereMapKey} AND version = $6`
    const [row] = await this.#database.query(sql, [...Object.values(keyColumns(key)), version])
    return row === undefined ? undefined : recordOf(mapTable, row)
  }

  /** As {@link find}, by the digest that the other end of a migration names. */
  async findDigest(key: MapKey, digest: string): Promise<WithBytes<MapRecord> | undefined> {
    const sql = `SELECT * FROM ${mapTable.name} WHERE ${whereMapKey} AND digest = $6`
    const values = [...Object.values(keyColumns(key)), digest]
    const [row] = await this.#database.query(sql, values)
    return row === undefined ? undefined : withBytes(mapTable, row)
  }

  /**
   * The state of learning of a pair; undefined where nobody has begun.
   *
   * @throws {GodwitError} `CATALOG_ENTRY`: damaged in the database
   */
  async findLearning(key: MapKey): Promise<WithBytes<LearningRecord> | undefined> {
    const sql = `SELECT * FROM ${learningTable.name} WHERE ${whereMapKey}`
    const [row] = await this.#database.query(sql, Object.values(keyColumns(key)))
    return row === undefined ? undefined : withBytes(learningTable, row)
  }

  /**
   * Keeps what was learnt, and of older maps the newest.
   *
   * @throws {GodwitError} `CATALOG_CONFLICT` (retryable): somebody else learnt meanwhile;
   *   `CATALOG_ENTRY`, `LIMIT_EXCEEDED`
   */
  async learnt({ fromRevision, state, map, ...key }: Learnt): Promise<void> {
    const revision = fromRevision + 1
    const learning = blobOf(learningTable, { ...key, revision }, state)
    const stored = map && blobOf(mapTable, { ...key, version: map.version }, map.bytes)
    await this.#database.transaction(async (statements) => {
      const sql = `SELECT revision FROM ${learningTable.name} WHERE ${whereMapKey}`
      const [row] = await statements.query(sql, Object.values(keyColumns(key)))
      if (Number(row?.['revision'] ?? 0) !== fromRevision) throw raced(key)
      await put(statements, learningTable, learning)
      if (stored !== undefined) await put(statements, mapTable, stored)
      await dropOldVersions(statements, key)
      await checkPairs(statements)
    })
  }

  /**
   * Forgets the maps of a pair and what was learnt of it.
   *
   * @throws {GodwitError} `CATALOG_UNKNOWN`
   */
  async remove(key: MapKey): Promise<void> {
    await this.#database.transaction(async (statements) => {
      const values = Object.values(keyColumns(key))
      const removed: Row[] = []
      for (const { name } of [mapTable, learningTable]) {
        const sql = `DELETE FROM ${name} WHERE ${whereMapKey} RETURNING digest`
        removed.push(...(await statements.query(sql, values)))
      }
      if (removed.length > 0) return
      throw new GodwitError('CATALOG_UNKNOWN', `Nothing was learnt of ${nameOf(key)}`)
    })
  }
}

/** Columns of a map or learning state that comes now. */
function blobOf(table: Table<unknown>, key: object, bytes: Uint8Array): Columns {
  const digest = createHash('sha256').update(bytes).digest('hex')
  const record = { ...key, digest, bytesLength: bytes.length, updatedMs: 0 }
  const checked = checkRecord(table.schema, record, `This ${table.what}`) as object
  return { ...columnsOf(checked), bytes, updated_ms: NOW }
}

/** Stores bytes in the place of those that are there, which may be of what was learnt before. */
async function put(statements: Statements, table: Table<unknown>, columns: Columns): Promise<void> {
  const { sql, values } = insertion(table, columns, replacement(table, columns))
  await statements.query(sql, values)
}

async function dropOldVersions(statements: Statements, key: MapKey): Promise<void> {
  const newest = `SELECT version FROM ${mapTable.name} WHERE ${whereMapKey}
    ORDER BY version DESC LIMIT ${MAP_VERSIONS_MAX}`
  const sql = `DELETE FROM ${mapTable.name} WHERE ${whereMapKey} AND version NOT IN (${newest})`
  await statements.query(sql, Object.values(keyColumns(key)))
}

/**
 * Fails a transaction that has stored too much.
 *
 * @throws {LimitError} `LIMIT_EXCEEDED`
 */
export async function checkPairs(statements: Statements): Promise<void> {
  const ofMaps = `SELECT ${columnsWithoutBytes}, count(*) AS versions FROM ${mapTable.name}
    GROUP BY ${columnsWithoutBytes}`
  const sql = `SELECT count(*) AS pairs, coalesce(max(versions), 0) AS versions,
    (SELECT count(*) FROM ${learningTable.name}) AS learning FROM (${ofMaps}) AS maps`
  const [row] = await statements.query(sql)
  const { pairs, versions, learning } = row!
  checkLimit('pairs', Math.max(Number(pairs), Number(learning)), PAIRS_MAX)
  checkLimit('versions of a map', Number(versions), MAP_VERSIONS_MAX)
}

function checkLimit(limit: string, value: number, maximum: number): void {
  if (value <= maximum) return
  const text = `A catalog has at most ${maximum} ${limit}, not ${value}; remove maps first`
  throw new LimitError('LIMIT_EXCEEDED', text, { limit, value, maximum })
}

/** In the order of the key's columns. */
function keyColumns({ os, hypervisor, pageBytes }: MapKey): Readonly<Record<string, Value>> {
  return columnsOf({ os, hypervisor, pageBytes })
}

function nameOf({ os, hypervisor, pageBytes }: MapKey): string {
  return `${formatRelease(os)} on ${formatRelease(hypervisor)} with pages of ${pageBytes} B`
}

function raced(key: MapKey): GodwitError {
  const text = `Somebody else learnt of ${nameOf(key)} meanwhile; nothing was stored, do it again`
  return new GodwitError('CATALOG_CONFLICT', text, { retryable: true })
}

/**
 * A row with the bytes that were stored.
 *
 * @throws {GodwitError} `CATALOG_ENTRY`
 */
export function withBytes<T extends MapRecord | LearningRecord>(
  table: Table<T>,
  row: Row,
): WithBytes<T> {
  const record = recordOf(table, row)
  const stored = row['bytes']
  if (stored instanceof Uint8Array) {
    // A plain array, whatever the driver has.
    const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.length)
    const digest = createHash('sha256').update(bytes).digest('hex')
    if (digest === record.digest && bytes.length === record.bytesLength) return { ...record, bytes }
  }
  throw new GodwitError('CATALOG_ENTRY', `The ${table.what} of ${nameOf(record)} is damaged`)
}
