/**
 * What agents write: entries that hold as long as they are heard of. Whose an entry is decides the
 * database, by one statement each time, so that of two agents which write at once one is told no.
 *
 * @module
 */
import type { Database, Value } from './database.ts'
import { checkRoom } from './entries.ts'
import type { Lease, MachineRecord, Release, VmRecord } from './records.ts'
import { checkRecord, machineSchema, vmSchema } from './schemas.ts'
import type { Columns, Table } from './tables.ts'
import {
  NOW,
  columnsOf,
  hasExpired,
  insertion,
  machineTable,
  recordOf,
  replacement,
  vmTable,
} from './tables.ts'

/** How long an entry holds without a heartbeat; agents send three within it. */
export const LEASE_MS_DEFAULT = 30_000
/** Expired entries that nobody asks for are removed after a day. */
const keptMs = 86_400_000

/** What an agent says of its machine. */
export type MachineFacts = Omit<MachineRecord, keyof Lease | 'agent'>
/** What an agent says of a guest. */
export type GuestFacts = Omit<VmRecord, keyof Lease | 'agent' | 'session' | 'epoch' | 'memoryPath'>

/** By which an agent knows an entry of its own again. */
export interface Claim {
  readonly id: string
  readonly name: string
  readonly epoch: number
  /** As the entry has it, which may be more than this agent knew. */
  readonly os: Release | null
  readonly hypervisor: Release | null
}

/** What a destination says of a guest that came in a session. */
export interface ArrivalFacts {
  readonly session: string
  readonly machine: string
  /** Where the source said nothing of it. */
  readonly os: Release | null
  readonly hypervisor: Release | null
}

/** The entries of one agent. */
export class AgentEntries {
  readonly agent: string
  readonly #database: Database
  readonly #leaseMs: number

  /** @param agent - a name that no other agent has, like a UUID */
  constructor(database: Database, agent: string, leaseMs: number = LEASE_MS_DEFAULT) {
    this.#database = database
    this.agent = agent
    this.#leaseMs = leaseMs
  }

  /**
   * Says how this agent's machine is; at each heartbeat again.
   *
   * @returns false where another agent, which is alive, says so already
   * @throws {GodwitError} `CATALOG_ENTRY`, `LIMIT_EXCEEDED`
   */
  async keepMachine(facts: MachineFacts): Promise<boolean> {
    const record = { ...facts, agent: this.agent, ...this.#lease() }
    checkRecord(machineSchema, record, 'This machine')
    const columns = heard(record)
    const mine = `(${machineTable.name}.agent IS NULL OR ${machineTable.name}.agent = excluded.agent
      OR ${hasExpired(machineTable)})`
    return (await this.#write(machineTable, columns, [], mine)) !== undefined
  }

  /**
   * Says that a guest is here and runs. An entry that was made by hand, or has expired, is taken
   * over with what it says of the operating system where this agent does not know.
   *
   * @returns undefined where a living agent, this one included, has a guest of this name
   * @throws {GodwitError} `CATALOG_ENTRY`, `LIMIT_EXCEEDED`
   */
  async claimGuest(facts: GuestFacts): Promise<Claim | undefined> {
    const { agent } = this
    const rest = { memoryPath: null, session: null, epoch: 0 }
    const record = { ...facts, agent, ...rest, ...this.#lease() }
    checkRecord(vmSchema, record, 'This guest')
    const columns = heard(record)
    const { name } = vmTable
    const mine = `(${name}.agent IS NULL OR ${hasExpired(vmTable)})`
    const kept = ['id', ...releaseColumns, 'epoch']
    const changes = [
      ...releaseColumns.map((one) => `${one} = coalesce(excluded.${one}, ${name}.${one})`),
      `epoch = ${name}.epoch + 1`,
    ]
    const row = await this.#write(vmTable, columns, kept, mine, changes)
    return row === undefined ? undefined : claimOf(recordOf(vmTable, row))
  }

  /**
   * Heartbeat of a guest, with what has become of it.
   *
   * @param session - the migration it leaves by; null when it goes on here
   * @returns false where the entry is this agent's no more: it has moved on, or was removed
   */
  async keepGuest({ id, epoch }: Claim, session: string | null): Promise<boolean> {
    const state = session === null ? 'running' : 'migrating'
    const rows = await this.#database.query(
      `UPDATE ${vmTable.name} SET state = $1, session = $2, lease_ms = $3, heartbeat_ms = NOW_MS,
        updated_ms = NOW_MS WHERE id = $4 AND epoch = $5 AND agent = $6 RETURNING id`,
      [state, session, this.#leaseMs, id, epoch, this.agent],
    )
    return rows.length > 0
  }

  /**
   * A guest has come: takes over the entry that its source keeps for the session.
   *
   * @returns undefined where the source keeps none
   */
  async takeOver(facts: ArrivalFacts): Promise<Claim | undefined> {
    const { session, machine, os, hypervisor } = facts
    const columns = Object.entries(columnsOf({ os, hypervisor }))
    const known = columns.map(([column], at) => `${column} = coalesce(${column}, $${at + 5})`)
    const rows = await this.#database.query(
      `UPDATE ${vmTable.name} SET state = 'running', session = NULL, memory_path = NULL,
        epoch = epoch + 1, heartbeat_ms = NOW_MS, updated_ms = NOW_MS,
        machine = $1, agent = $2, lease_ms = $3, ${known.join(', ')}
        WHERE session = $4 AND state = 'migrating' RETURNING *`,
      [machine, this.agent, this.#leaseMs, session, ...columns.map(([, value]) => value)],
    )
    const [row] = rows
    return row === undefined ? undefined : claimOf(recordOf(vmTable, row))
  }

  /** A guest has ended. Nothing happens where the entry is this agent's no more. */
  async releaseGuest({ id, epoch }: Claim): Promise<void> {
    const sql = `DELETE FROM ${vmTable.name} WHERE id = $1 AND epoch = $2 AND agent = $3`
    await this.#database.query(sql, [id, epoch, this.agent])
  }

  /**
   * The agent ends, and with it its machine's entry and those of guests here. A guest that is on
   * its way stays listed until its lease is over, for its destination to take over.
   */
  async withdraw(): Promise<void> {
    await this.#database.transaction(async (statements) => {
      const { agent } = this
      await statements.query(`DELETE FROM ${machineTable.name} WHERE agent = $1`, [agent])
      const isHere = `agent = $1 AND state <> 'migrating'`
      await statements.query(`DELETE FROM ${vmTable.name} WHERE ${isHere}`, [agent])
      for (const { name } of [machineTable, vmTable]) {
        const isOld = `heartbeat_ms + lease_ms + ${keptMs} <= NOW_MS`
        await statements.query(`DELETE FROM ${name} WHERE ${isOld}`)
      }
    })
  }

  #lease(): Lease {
    return { updatedMs: 0, heartbeatMs: 0, leaseMs: this.#leaseMs }
  }

  /** Writes where the entry is new, or `mine`. */
  async #write<T>(
    table: Table<T>,
    columns: Columns,
    kept: readonly string[],
    mine: string,
    changes: readonly string[] = [],
  ): Promise<Readonly<Record<string, Value>> | undefined> {
    const more = changes.map((change) => `, ${change}`).join('')
    const then = `${replacement(table, columns, kept)}${more} WHERE ${mine} RETURNING *`
    const { sql, values } = insertion(table, columns, then)
    return this.#database.transaction(async (statements) => {
      const [row] = await statements.query(sql, values)
      await checkRoom(statements, table)
      return row
    })
  }
}

const releaseColumns = ['os_name', 'os_version', 'hypervisor_name', 'hypervisor_version']

function heard(record: object): Columns {
  return { ...columnsOf(record), updated_ms: NOW, heartbeat_ms: NOW }
}

function claimOf({ id, name, epoch, os, hypervisor }: VmRecord): Claim {
  return { id, name, epoch, os, hypervisor }
}
