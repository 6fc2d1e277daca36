/**
 * A catalog in a file, for one machine: `node:sqlite`. Agents of several processes may write to it.
 *
 * @module
 */
import { closeSync, existsSync, openSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { GodwitError } from '@godwit/core'
import type { CatalogPlace } from './catalog-url.ts'
import type { Database, Row, Statements, Value } from './database.ts'
import { DATABASE_WAIT_MS, abandoned, databaseError } from './database.ts'

/** Where guests run and what their memory has in common is nobody else's business. */
const ownerOnly = 0o600
const nowMs = "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
/** SQLite's own: somebody else writes, or a table is locked. */
const busyCodes: ReadonlySet<unknown> = new Set([5, 6])
const busyDelayMsMax = 50

/** Its clock is the machine's: all who use the file are on this machine. */
export class SqliteDatabase implements Database {
  readonly #place: CatalogPlace
  readonly #database: DatabaseSync
  /** Ends when the last statement or transaction asked for so far has: there is one connection. */
  #last: Promise<unknown> = Promise.resolve()
  #isAbandoned = false

  private constructor(place: CatalogPlace, database: DatabaseSync) {
    this.#place = place
    this.#database = database
  }

  /**
   * @param isNew - whether to make the file where there is none
   * @throws {GodwitError} `CATALOG_UNKNOWN`, `CATALOG_UNAVAILABLE`
   */
  static async open(place: CatalogPlace, isNew: boolean): Promise<SqliteDatabase> {
    const { target, name } = place
    if (!isNew && !existsSync(target)) {
      const advice = '`godwit catalog add` and `import` make one'
      throw new GodwitError('CATALOG_UNKNOWN', `There is no catalog at ${name}; ${advice}`)
    }
    try {
      // The journal beside it gets the same mode.
      closeSync(openSync(target, 'a', ownerOnly))
      const { DatabaseSync } = await import('node:sqlite')
      // No waiting inside: that would stop the thread, and with it an agent's migrations.
      const database = new DatabaseSync(target, { timeout: 0 })
      database.enableDefensive(true)
      const opened = new SqliteDatabase(place, database)
      await opened.query('PRAGMA trusted_schema = OFF')
      await opened.query('PRAGMA journal_mode = WAL')
      await opened.query('PRAGMA synchronous = NORMAL')
      return opened
    } catch (thrown) {
      throw databaseError(thrown, place)
    }
  }

  query(sql: string, parameters: readonly Value[] = []): Promise<readonly Row[]> {
    return this.#next(() => this.#run(sql, parameters))
  }

  transaction<T>(work: (statements: Statements) => Promise<T>): Promise<T> {
    return this.#next(async () => {
      await this.#run('BEGIN IMMEDIATE', [])
      try {
        const result = await work({ query: (sql, values = []) => this.#run(sql, values) })
        await this.#run('COMMIT', [])
        return result
      } catch (thrown) {
        // Some errors have ended it already.
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
        throw thrown
      }
    })
  }

  async hasTable(name: string): Promise<boolean> {
    const sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = $1"
    return (await this.query(sql, [name])).length > 0
  }

  abandon(): void {
    this.#isAbandoned = true
  }

  close(): Promise<void> {
    return this.#next(async () => this.#database.close())
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => {})
    return result
  }

  /** Waits for other writers without stopping the thread. */
  async #run(sql: string, parameters: readonly Value[]): Promise<readonly Row[]> {
    const deadline = performance.now() + DATABASE_WAIT_MS
    for (let delayMs = 1; ; delayMs = Math.min(2 * delayMs, busyDelayMsMax)) {
      if (this.#isAbandoned) throw abandoned(this.#place)
      try {
        return this.#runNow(sql, parameters)
      } catch (thrown) {
        if (!isBusy(thrown) || performance.now() > deadline) {
          throw databaseError(thrown, this.#place)
        }
      }
      // Two who wait for each other's end do not come back at the same moment.
      await setTimeout(delayMs * (0.5 + Math.random()))
    }
  }

  #runNow(sql: string, parameters: readonly Value[]): readonly Row[] {
    const statement = this.#database.prepare(sql.replaceAll('NOW_MS', nowMs))
    const entries = parameters.map((value, index) => [`$${index + 1}`, value])
    return statement.all(Object.fromEntries(entries) as Record<string, Value>) as readonly Row[]
  }
}

function isBusy(thrown: unknown): boolean {
  const { errcode } = thrown as { errcode?: number }
  return errcode !== undefined && busyCodes.has(errcode & 0xff)
}
