/**
 * Guests, machines and links, as an operator sees and changes them.
 *
 * @module
 */
import { GodwitError, LimitError } from '@godwit/core'
import type { Database, Row, Statements, Value } from './database.ts'
import type { Lease, LinkRecord, MachineRecord, Pair, VmRecord } from './records.ts'
import { checkRecord } from './schemas.ts'
import type { Table } from './tables.ts'
import {
  NOW,
  columnsOf,
  hasExpired,
  insertion,
  linkTable,
  machineTable,
  recordOf,
  replacement,
  vmTable,
  whereKey,
} from './tables.ts'

/** Of guests, of machines and of links each: room for a fleet of 10,000 machines twice over. */
export const ENTRIES_MAX = 262_144

export interface EntryKinds {
  readonly vm: VmRecord
  readonly machine: MachineRecord
  readonly link: LinkRecord
}
export type EntryKind = keyof EntryKinds

/** More guests of a pair on one machine are not looked at: they have hardly more in common. */
export const SIBLINGS_MAX = 16

/** An entry without what the database fills in. */
export type NewEntry<K extends EntryKind> = Omit<EntryKinds[K], keyof Lease>

const tables: { readonly [K in EntryKind]: Table<EntryKinds[K]> } = {
  vm: vmTable,
  machine: machineTable,
  link: linkTable,
}

/** Of an entry that no agent keeps. */
const noLease = { updatedMs: 0, heartbeatMs: null, leaseMs: null }

export class Entries {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** By name. Expired ones are left out, unless `all` are asked for. */
  async list<K extends EntryKind>(kind: K, all = false): Promise<readonly EntryKinds[K][]> {
    const table = tables[kind]
    const live = table.hasLease && !all ? `WHERE NOT ${hasExpired(table)}` : ''
    const sql = `SELECT * FROM ${table.name} ${live} LIMIT ${ENTRIES_MAX + 1}`
    const rows = await this.#database.query(sql)
    return sorted(table, rows).map((row) => recordOf(table, row))
  }

  /**
   * One, whether it has expired or not; undefined where there is none.
   *
   * @param key - the name, or for a link the names of both ends
   */
  async find<K extends EntryKind>(
    kind: K,
    ...key: readonly string[]
  ): Promise<EntryKinds[K] | undefined> {
    const table = tables[kind]
    const sql = `SELECT * FROM ${table.name} WHERE ${whereKey(table)}`
    const [row] = await this.#database.query(sql, key)
    return row === undefined ? undefined : recordOf(table, row)
  }

  /** Guests of a pair that are on a machine, and have not expired; at most {@link SIBLINGS_MAX}. */
  async siblings({ os, hypervisor }: Pair, machine: string): Promise<readonly VmRecord[]> {
    const columns = Object.entries(columnsOf({ os, hypervisor, machine }))
    const where = columns.map(([column], at) => `${column} = $${at + 1}`).join(' AND ')
    const sql = `SELECT * FROM ${vmTable.name} WHERE ${where} AND NOT ${hasExpired(vmTable)}
      ORDER BY updated_ms DESC LIMIT ${SIBLINGS_MAX}`
    const values = columns.map(([, value]) => value)
    return (await this.#database.query(sql, values)).map((row) => recordOf(vmTable, row))
  }

  /**
   * Makes an entry that stays until it is removed or an agent takes it over.
   *
   * @param replace - whether it may take the place of one that is there
   * @throws {GodwitError} `CATALOG_ENTRY`, `CATALOG_CONFLICT`, `LIMIT_EXCEEDED`
   */
  async add<K extends EntryKind>(kind: K, entry: NewEntry<K>, replace = false): Promise<void> {
    await this.addAll(kind, [entry], replace)
  }

  /** As {@link add}: all of them or none. */
  async addAll<K extends EntryKind>(
    kind: K,
    entries: readonly NewEntry<K>[],
    replace = false,
  ): Promise<void> {
    const table = tables[kind]
    const { hasLease } = table
    const isStale = hasLease ? hasExpired(table) : 'FALSE'
    const condition = replace ? '' : `WHERE ${isStale}`
    const additions = entries.map((entry) => {
      const given = { ...entry, ...(hasLease ? noLease : { updatedMs: 0 }) }
      const checked = checkRecord<object>(table.schema, given, `This ${table.what}`)
      const columns = { ...columnsOf(checked), updated_ms: NOW } as const
      const then = `${replacement(table, columns)} ${condition} RETURNING ${table.key.join(', ')}`
      return insertion(table, columns, then)
    })
    await this.#database.transaction(async (statements) => {
      for (const { sql, values } of additions) {
        if ((await statements.query(sql, values)).length > 0) continue
        const text = `There is such a ${table.what} already; --replace takes its place`
        throw new GodwitError('CATALOG_CONFLICT', text)
      }
      await checkRoom(statements, table)
    })
  }

  /** @throws {GodwitError} `CATALOG_UNKNOWN` */
  async remove(kind: EntryKind, ...key: readonly Value[]): Promise<void> {
    const table: Table<unknown> = tables[kind]
    const sql = `DELETE FROM ${table.name} WHERE ${whereKey(table)} RETURNING updated_ms`
    const removed = await this.#database.query(sql, key)
    if (removed.length > 0) return
    throw new GodwitError('CATALOG_UNKNOWN', `There is no ${table.what} ${key.join(' to ')}`)
  }
}

/**
 * Fails a transaction that has filled a table up.
 *
 * @throws {LimitError} `LIMIT_EXCEEDED`
 */
export async function checkRoom(
  statements: Statements,
  { name, what }: Table<unknown>,
): Promise<void> {
  const [row] = await statements.query(`SELECT count(*) AS entries FROM ${name}`)
  const entries = Number(row!['entries'])
  if (entries <= ENTRIES_MAX) return
  const text = `A catalog has at most ${ENTRIES_MAX} entries of each kind; remove one (${what})`
  const facts = { limit: 'entries', value: entries, maximum: ENTRIES_MAX }
  throw new LimitError('LIMIT_EXCEEDED', text, facts)
}

/** In the order of code units; that of a server depends on its locale. */
function sorted({ key }: Table<unknown>, rows: readonly Row[]): readonly Row[] {
  const named = rows.map((row) => ({ row, name: key.map((column) => row[column]).join(' ') }))
  named.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)))
  return named.map(({ row }) => row)
}
