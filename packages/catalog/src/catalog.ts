/**
 * The catalog: one database, opened and up to date.
 *
 * @module
 */
import { AgentEntries } from './agent-entries.ts'
import { parseCatalogUrl } from './catalog-url.ts'
import type { Database } from './database.ts'
import { Entries } from './entries.ts'
import { exportLines } from './export.ts'
import type { ImportSource, Imported } from './import.ts'
import { importLines } from './import.ts'
import { MIGRATIONS, migrate } from './migrations.ts'
import { openDatabase } from './open-database.ts'
import { StaticMaps } from './static-maps.ts'

export interface CatalogOptions {
  /** Whether to make a catalog where there is none; by default it is made. */
  readonly create?: boolean
  /** Ends what goes on with `CATALOG_UNAVAILABLE`, whatever the server does; it stays so. */
  readonly signal?: AbortSignal
}

export class Catalog {
  /** For texts: where it is, without a password. */
  readonly place: string
  readonly entries: Entries
  readonly maps: StaticMaps
  readonly #database: Database
  /** Leaves the signal that it was opened with. */
  readonly #forget: () => void

  private constructor(place: string, database: Database, forget: () => void) {
    this.place = place
    this.#database = database
    this.#forget = forget
    this.entries = new Entries(database)
    this.maps = new StaticMaps(database)
  }

  /**
   * Opens `FILE`, `sqlite:FILE` or `postgres://USER@HOST/DATABASE`.
   *
   * @throws {GodwitError} `USAGE`, `CATALOG_UNKNOWN`, `CATALOG_UNAVAILABLE`, `CATALOG_VERSION`
   */
  static async open(url: string, { create = true, signal }: CatalogOptions = {}): Promise<Catalog> {
    const place = parseCatalogUrl(url)
    const database = await openDatabase(place, create)
    const abandon = (): void => database.abandon()
    signal?.addEventListener('abort', abandon)
    const forget = (): void => signal?.removeEventListener('abort', abandon)
    try {
      if (signal?.aborted === true) abandon()
      await migrate(database, MIGRATIONS, create ? undefined : place)
    } catch (thrown) {
      forget()
      await database.close()
      throw thrown
    }
    return new Catalog(place.name, database, forget)
  }

  /** Whether another catalog is there now: its file was removed, or made anew. */
  get isReplaced(): boolean {
    return this.#database.isReplaced
  }

  /** What the agent of this name writes; a UUID, say. */
  agent(name: string, leaseMs?: number): AgentEntries {
    return new AgentEntries(this.#database, name, leaseMs)
  }

  /** The clock by which entries expire. */
  async nowMs(): Promise<number> {
    const [row] = await this.#database.query('SELECT NOW_MS AS now')
    return Number(row!['now'])
  }

  /** All of it as lines of JSON, each with its line feed. */
  export(): AsyncGenerator<string> {
    return exportLines(this.#database)
  }

  /**
   * Takes in what {@link export} wrote: all of it, in the place of entries of the same name, or,
   * where anything is wrong, nothing. No other writer waits until all of it has come and was
   * checked; what comes only once is kept in a temporary file until then.
   *
   * @param source - a function is called twice, and gives the same each time
   * @throws {GodwitError} `CATALOG_ENTRY`, `CATALOG_VERSION`, `LIMIT_EXCEEDED`, `FILE_UNWRITABLE`
   */
  import(source: ImportSource): Promise<Imported> {
    return importLines(this.#database, source)
  }

  async close(): Promise<void> {
    await this.#database.close()
    this.#forget()
  }
}
