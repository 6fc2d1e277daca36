/**
 * Records as rows: which table has them, under which key, and the statements that write them.
 *
 * @module
 */
import type * as v from 'valibot'
import type { Row, Value } from './database.ts'
import type {
  LearningRecord,
  LinkRecord,
  MachineRecord,
  MapRecord,
  Release,
  VmRecord,
} from './records.ts'
import {
  checkRecord,
  learningSchema,
  linkSchema,
  machineSchema,
  mapSchema,
  vmSchema,
} from './schemas.ts'

/** A kind of record. */
export interface Table<T> {
  readonly name: string
  /** For texts. */
  readonly what: string
  readonly key: readonly string[]
  /** Whether its entries may expire. */
  readonly hasLease: boolean
  /** Columns that are no part of the record. */
  readonly hasBytes: boolean
  readonly schema: v.GenericSchema<unknown, T>
}

const pairKey = ['os_name', 'os_version', 'hypervisor_name', 'hypervisor_version', 'page_bytes']
const entry = { hasLease: true, hasBytes: false }
const blob = { hasLease: false, hasBytes: true }

export const vmTable: Table<VmRecord> = {
  ...entry,
  name: 'godwit_vm',
  what: 'guest',
  key: ['name'],
  schema: vmSchema,
}
export const machineTable: Table<MachineRecord> = {
  ...entry,
  name: 'godwit_machine',
  what: 'machine',
  key: ['name'],
  schema: machineSchema,
}
export const linkTable: Table<LinkRecord> = {
  ...entry,
  hasLease: false,
  name: 'godwit_link',
  what: 'link',
  key: ['source', 'destination'],
  schema: linkSchema,
}
export const mapTable: Table<MapRecord> = {
  ...blob,
  name: 'godwit_map',
  what: 'static map',
  key: [...pairKey, 'version'],
  schema: mapSchema,
}
export const learningTable: Table<LearningRecord> = {
  ...blob,
  name: 'godwit_learning',
  what: 'learning state',
  key: pairKey,
  schema: learningSchema,
}

/** In the place of a value: the database's clock. */
export const NOW: unique symbol = Symbol('now')
export type Columns = Readonly<Record<string, Value | typeof NOW>>

const releases = ['os', 'hypervisor'] as const

/** `memoryBytes` -> `memory_bytes`, and `os` -> `os_name` and `os_version`. */
export function columnsOf(record: object): Record<string, Value> {
  const columns: Record<string, Value> = {}
  for (const [key, value] of Object.entries(record)) {
    if ((releases as readonly string[]).includes(key)) {
      const release = value as Release | null
      columns[`${key}_name`] = release?.name ?? null
      columns[`${key}_version`] = release?.version ?? null
    } else {
      columns[key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = value as Value
    }
  }
  return columns
}

/**
 * The way back.
 *
 * @throws {GodwitError} `CATALOG_ENTRY`: somebody else wrote into the database
 */
export function recordOf<T>(table: Table<T>, row: Row): T {
  const record: Record<string, unknown> = {}
  for (const [column, value] of Object.entries(row)) {
    const [, release, part] = /^(os|hypervisor)_(name|version)$/.exec(column) ?? []
    if (release === undefined || part === undefined) {
      record[column.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())] = value
    } else if (value !== null) {
      record[release] = { ...(record[release] as object | undefined), [part]: value }
    } else record[release] ??= null
  }
  delete record['bytes']
  return checkRecord(
    table.schema,
    record,
    `A ${table.what} in the catalog (${labelOf(table, row)})`,
  )
}

/** The key of a row that may hold anything. */
function labelOf({ key }: Table<unknown>, row: Row): string {
  const parts = key.map((column) => String(row[column]).replaceAll(/[^\x20-\x7e]/g, '?'))
  return parts.join(' ').slice(0, 100)
}

/** A statement with its parameters. */
export interface Statement {
  readonly sql: string
  readonly values: readonly Value[]
}

/** `INSERT`, and behind it what to do where there is such an entry: `then`, which may be empty. */
export function insertion(table: Table<unknown>, columns: Columns, then: string): Statement {
  const values: Value[] = []
  const places = Object.values(columns).map((value) =>
    value === NOW ? 'NOW_MS' : `$${values.push(value)}`,
  )
  const names = Object.keys(columns).join(', ')
  return {
    sql: `INSERT INTO ${table.name} (${names}) VALUES (${places.join(', ')}) ${then}`,
    values,
  }
}

/** `ON CONFLICT`: takes over all of the new columns but the key and those in `except`. */
export function replacement(
  { key }: Table<unknown>,
  columns: Columns,
  except: readonly string[] = [],
): string {
  const taken = Object.keys(columns).filter((one) => !key.includes(one) && !except.includes(one))
  const changes = taken.map((column) => `${column} = excluded.${column}`)
  return `ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${changes.join(', ')}`
}

/** A condition on the key, with parameters from `$first` on. */
export function whereKey({ key }: Table<unknown>, first = 1): string {
  return key.map((column, index) => `${column} = $${first + index}`).join(' AND ')
}

/** The condition that an entry has expired; of entries made by hand it never holds. */
export function hasExpired({ name }: Table<unknown>): string {
  return `coalesce(${name}.heartbeat_ms + ${name}.lease_ms <= NOW_MS, FALSE)`
}
