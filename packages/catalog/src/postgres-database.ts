/**
 * A catalog for a fleet: PostgreSQL.
 *
 * @module
 */
import { Socket } from 'node:net'
import type { Pool, PoolClient } from 'pg'
import { GodwitError } from '@godwit/core'
import type { CatalogPlace } from './catalog-url.ts'
import type { Database, Row, Statements, Value } from './database.ts'
import { DATABASE_WAIT_MS, STATEMENT_MS_MAX, abandoned, databaseError } from './database.ts'

const nowMs = 'CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)'
/** Whom writers of several statements wait for; any number that no other program uses. */
const writersLock = 0x676f6477
/** An agent asks for one thing at a time. */
const connectionsMax = 4
/** Type numbers of PostgreSQL: BIGINT, which may be more than a number holds. */
const bigint = 20

/** Its clock is the server's. */
export class PostgresDatabase implements Database {
  readonly #place: CatalogPlace
  readonly #pool: Pool
  /** Of connections, also of those that are being made. */
  readonly #sockets: ReadonlySet<Socket>
  #isAbandoned = false

  private constructor(place: CatalogPlace, pool: Pool, sockets: ReadonlySet<Socket>) {
    this.#place = place
    this.#pool = pool
    this.#sockets = sockets
  }

  /**
   * @throws {GodwitError} `USAGE`: the URL is none; whether anybody answers there is not tried yet
   */
  static async open(place: CatalogPlace): Promise<PostgresDatabase> {
    const { default: pg } = await import('pg')
    const parse = (type: number): ((text: string) => unknown) =>
      type === bigint ? Number : pg.types.getTypeParser(type)
    const sockets = new Set<Socket>()
    try {
      const pool = new pg.Pool({
        connectionString: place.target,
        application_name: 'godwit',
        max: connectionsMax,
        connectionTimeoutMillis: DATABASE_WAIT_MS,
        lock_timeout: DATABASE_WAIT_MS,
        statement_timeout: STATEMENT_MS_MAX,
        query_timeout: STATEMENT_MS_MAX,
        // An agent that is cut off in the midst of a transaction does not keep the others waiting.
        idle_in_transaction_session_timeout: STATEMENT_MS_MAX,
        keepAlive: true,
        allowExitOnIdle: true,
        stream: () => socketIn(sockets),
        types: { getTypeParser: parse as typeof pg.types.getTypeParser },
      })
      // A connection that breaks while nobody uses it is replaced by the next one.
      pool.on('error', () => {})
      // So is one that breaks in use, where nobody may be waiting for an answer just then.
      pool.on('connect', (client) => client.on('error', () => {}))
      return new PostgresDatabase(place, pool, sockets)
    } catch {
      throw notAUrl(place)
    }
  }

  query(sql: string, parameters: readonly Value[] = []): Promise<readonly Row[]> {
    return this.#with((client) => run(client, sql, parameters))
  }

  transaction<T>(work: (statements: Statements) => Promise<T>): Promise<T> {
    return this.#with(async (client) => {
      await client.query('BEGIN')
      try {
        await client.query('SELECT pg_advisory_xact_lock($1)', [writersLock])
        const result = await work({ query: (sql, values = []) => run(client, sql, values) })
        await client.query('COMMIT')
        return result
      } catch (thrown) {
        if (isWhole(thrown)) await client.query('ROLLBACK')
        throw thrown
      }
    })
  }

  async hasTable(name: string): Promise<boolean> {
    const [row] = await this.query('SELECT to_regclass($1) IS NOT NULL AS found', [name])
    return (row as unknown as { readonly found: boolean }).found
  }

  async mark(): Promise<void> {}

  get isReplaced(): boolean {
    return false
  }

  abandon(): void {
    this.#isAbandoned = true
    if (!this.#pool.ending) void this.#pool.end()
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    if (!this.#pool.ending) await this.#pool.end()
  }

  async #with<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    let client: PoolClient | undefined
    try {
      if (this.#isAbandoned) throw abandoned(this.#place)
      client = await this.#pool.connect()
      const result = await work(client)
      client.release()
      return result
    } catch (thrown) {
      client?.release(!isWhole(thrown))
      if (this.#isAbandoned) throw abandoned(this.#place)
      if ((thrown as { code?: unknown }).code === 'ERR_INVALID_URL') throw notAUrl(this.#place)
      throw databaseError(thrown, this.#place)
    }
  }
}

/** As the driver makes them, but known here. */
function socketIn(sockets: Set<Socket>): Socket {
  const socket = new Socket()
  sockets.add(socket)
  return socket.once('close', () => sockets.delete(socket))
}

/** Whether the connection is of use after this: the server's own errors have a severity. */
function isWhole(thrown: unknown): boolean {
  return thrown instanceof GodwitError || (thrown instanceof Error && 'severity' in thrown)
}

function notAUrl({ name }: CatalogPlace): GodwitError {
  const text = `${name} is not a URL of PostgreSQL: postgres://USER@HOST/DATABASE`
  return new GodwitError('USAGE', text)
}

async function run(
  client: PoolClient,
  sql: string,
  parameters: readonly Value[],
): Promise<readonly Row[]> {
  const text = sql.replaceAll('NOW_MS', nowMs)
  const { rows } = await client.query<Row>(text, [...parameters])
  return rows
}
