/**
 * What the catalog asks of a database: statements of the SQL that SQLite and PostgreSQL share, with
 * parameters `$1`, `$2`, ..., and one writer of several statements at a time. `NOW_MS` in a
 * statement is the database's own clock, since those of agents may be wrong.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import type { CatalogPlace } from './catalog-url.ts'

export type Value = string | number | null | Uint8Array
/** Columns by name; numbers are numbers, bytes are bytes, whichever database it is. */
export type Row = Readonly<Record<string, Value>>

/** How long a writer waits for the others, and an agent for a database that does not answer. */
export const DATABASE_WAIT_MS = 5000
/** How long one statement may take; those with the bytes of a map take longest. */
export const STATEMENT_MS_MAX = 30_000

export interface Statements {
  /** Runs one statement; rows are of `SELECT` and `RETURNING`. */
  query(sql: string, parameters?: readonly Value[]): Promise<readonly Row[]>
}

export interface Database extends Statements {
  /**
   * Several statements as one: all of them or none, and nobody else writes meanwhile who asks for a
   * transaction, too.
   */
  transaction<T>(work: (statements: Statements) => Promise<T>): Promise<T>
  /** Whether something else is there now, like a file that was made anew; never of a server. */
  readonly isReplaced: boolean
  /** Whether there is a table of this name. */
  hasTable(name: string): Promise<boolean>
  /** Says in the database itself that it is a catalog, where that can be said. */
  mark(statements: Statements): Promise<void>
  /** Gives up what goes on, and what is asked from here on. */
  abandon(): void
  /** Once what goes on has ended. */
  close(): Promise<void>
}

/** Where who only looks finds nothing. */
export function unknownCatalog({ name }: CatalogPlace): GodwitError {
  const advice = '`godwit catalog add` and `import` make one'
  return new GodwitError('CATALOG_UNKNOWN', `There is no catalog at ${name}; ${advice}`)
}

/** Of what was given up. */
export function abandoned({ name }: CatalogPlace): GodwitError {
  const text = `The catalog ${name}: it was given up`
  return new GodwitError('CATALOG_UNAVAILABLE', text, { retryable: true })
}

/**
 * What a driver throws, as an error of ours. Its text says where, but not the password; the
 * driver's own error goes no further, since it may hold one.
 */
export function databaseError(thrown: unknown, place: CatalogPlace): GodwitError {
  if (thrown instanceof GodwitError) return thrown
  const text = reasonOf(thrown).replaceAll('\n', ' ')
  const reason = place.secrets.reduce((left, secret) => left.replaceAll(secret, '***'), text)
  return new GodwitError('CATALOG_UNAVAILABLE', `The catalog ${place.name}: ${reason}`, {
    retryable: true,
  })
}

/** Several addresses of one host fail with an error that has no text of its own. */
function reasonOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.message === '') {
    return thrown.errors.map((error) => reasonOf(error)).join('; ')
  }
  return thrown instanceof Error ? thrown.message : String(thrown)
}
