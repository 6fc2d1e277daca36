/**
 * A catalog in a file, for one machine: `node:sqlite`. Agents of several processes may write to it.
 *
 * @module
 */
import type { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import type { CatalogPlace } from './catalog-url.ts'
import type { Database, Row, Statements, Value } from './database.ts'
import { DATABASE_WAIT_MS, abandoned, databaseError } from './database.ts'
import type { FileIdentity } from './sqlite-file.ts'
import { APPLICATION_ID, identityOf, openFile } from './sqlite-file.ts'

const nowMs = "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
/** SQLite's own: somebody else writes, or a table is locked. */
const busyCodes: ReadonlySet<unknown> = new Set([5, 6])
const busyDelayMsMax = 50

/** Its clock is the machine's: all who use the file are on this machine. */
export class SqliteDatabase implements Database {
  readonly #place: CatalogPlace
  readonly #database: DatabaseSync
  readonly #identity: FileIdentity | undefined
  /** Ends when the last statement or transaction asked for so far has: there is one connection. */
  #last: Promise<unknown> = Promise.resolve()
  #isAbandoned = false

  private constructor(place: CatalogPlace, database: DatabaseSync, identity?: FileIdentity) {
    this.#place = place
    this.#database = database
    this.#identity = identity
  }

  /**
   * @param isNew - whether to make a catalog where there is none
   * @throws {GodwitError} `CATALOG_UNKNOWN`, `CATALOG_UNAVAILABLE`
   */
  static async open(place: CatalogPlace, isNew: boolean): Promise<SqliteDatabase> {
    try {
      const database = await attempt(() => openFile(place, isNew))
      const opened = new SqliteDatabase(place, database, identityOf(place.target))
      if (isNew) {
        await opened.query('PRAGMA journal_mode = WAL')
        await opened.query('PRAGMA synchronous = NORMAL')
      }
      return opened
    } catch (thrown) {
      throw databaseError(thrown, place)
    }
  }

  get isReplaced(): boolean {
    const now = identityOf(this.#place.target)
    return now?.dev !== this.#identity?.dev || now?.ino !== this.#identity?.ino
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

  async mark(statements: Statements): Promise<void> {
    await statements.query(`PRAGMA application_id = ${APPLICATION_ID}`)
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

  async #run(sql: string, parameters: readonly Value[]): Promise<readonly Row[]> {
    try {
      return await attempt(() => {
        if (this.#isAbandoned) throw abandoned(this.#place)
        return this.#runNow(sql, parameters)
      })
    } catch (thrown) {
      throw databaseError(thrown, this.#place)
    }
  }

  #runNow(sql: string, parameters: readonly Value[]): readonly Row[] {
    const statement = this.#database.prepare(sql.replaceAll('NOW_MS', nowMs))
    const entries = parameters.map((value, index) => [`$${index + 1}`, value])
    return statement.all(Object.fromEntries(entries) as Record<string, Value>) as readonly Row[]
  }
}

/** Waits for other writers without stopping the thread. */
async function attempt<T>(work: () => T | Promise<T>): Promise<T> {
  const deadline = performance.now() + DATABASE_WAIT_MS
  for (let delayMs = 1; ; delayMs = Math.min(2 * delayMs, busyDelayMsMax)) {
    try {
      return await work()
    } catch (thrown) {
      if (!isBusy(thrown) || performance.now() > deadline) throw thrown
    }
    // Two who wait for each other's end do not come back at the same moment.
    await setTimeout(delayMs * (0.5 + Math.random()))
  }
}

function isBusy(thrown: unknown): boolean {
  const { errcode } = thrown as { errcode?: number }
  return errcode !== undefined && busyCodes.has(errcode & 0xff)
}
