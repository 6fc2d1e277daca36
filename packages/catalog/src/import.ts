/**
 * Reads a catalog from lines. Nothing in the file is believed: no line is kept that is longer than
 * any may be, no memory is taken by a number in it, and either all of it is taken in or nothing.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { GodwitError } from '@godwit/core'
import type { Database, Statements, Value } from './database.ts'
import { checkRoom } from './entries.ts'
import { checkRecord } from './schemas.ts'
import { checkPairs } from './static-maps.ts'
import type { Columns, Table } from './tables.ts'
import { columnsOf, insertion, linkTable, machineTable, replacement, vmTable } from './tables.ts'
import { LINE_BYTES_MAX, PIECE_BYTES, TRANSFER_VERSION, tables } from './transfer.ts'

/** How many entries came in, by kind. */
export type Imported = Readonly<Record<string, number>>

/** An entry whose bytes are still to come. */
interface Awaited {
  readonly table: Table<unknown>
  readonly record: { readonly digest: string; readonly bytesLength: number }
  readonly pieces: Uint8Array[]
  left: number
}

/** @throws {GodwitError} `CATALOG_ENTRY`, `CATALOG_VERSION`, `LIMIT_EXCEEDED` */
export function importLines(
  database: Database,
  chunks: AsyncIterable<Uint8Array>,
): Promise<Imported> {
  return database.transaction(async (statements) => {
    const [row] = await statements.query('SELECT NOW_MS AS now')
    const reader = new Reader(statements, Number(row!['now']))
    for await (const line of splitLines(chunks)) await reader.read(line)
    await reader.end()
    for (const table of [machineTable, linkTable, vmTable]) await checkRoom(statements, table)
    await checkPairs(statements)
    return reader.imported
  })
}

/** Lines without their line feeds. */
async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let parts: Uint8Array[] = []
  let length = 0
  let line = 0
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const end = chunk.indexOf(10, at)
      const part = chunk.slice(at, end < 0 ? chunk.length : end)
      parts.push(part)
      length += part.length
      if (length > LINE_BYTES_MAX) throw unusable(line + 1, 'it is longer than any may be')
      at += part.length + 1
      if (end < 0) break
      line++
      yield textOf(parts, line)
      parts = []
      length = 0
    }
  }
  if (length > 0) throw unusable(line + 1, 'it has no end')
}

function textOf(parts: readonly Uint8Array[], line: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(parts))
  } catch {
    throw unusable(line, 'it is not UTF-8')
  }
}

function unusable(line: number, reason: string): GodwitError {
  return new GodwitError('CATALOG_ENTRY', `Line ${line} is not usable: ${reason}`)
}

class Reader {
  readonly #statements: Statements
  readonly #nowMs: number
  readonly #imported: Record<string, number> = {}
  #line = 0
  #isOver = false
  #awaited: Awaited | undefined

  constructor(statements: Statements, nowMs: number) {
    this.#statements = statements
    this.#nowMs = nowMs
  }

  get imported(): Imported {
    return this.#imported
  }

  async read(text: string): Promise<void> {
    const line = ++this.#line
    if (this.#isOver) throw unusable(line, 'it is behind the last one')
    const [name, value] = this.#parse(text)
    if (line === 1) return checkFirst(name, value)
    if (name === 'end') return this.#readEnd(value)
    if (name === 'bytes') return this.#readBytes(value)
    if (this.#awaited !== undefined)
      throw unusable(line, 'bytes of the entry before it are lacking')
    const table = Object.hasOwn(tables, name) ? tables[name] : undefined
    if (table === undefined) throw unusable(line, 'there is no such entry')
    const record = checkRecord(table.schema, value, `Line ${line}`) as object
    this.#imported[name] = (this.#imported[name] ?? 0) + 1
    if (table.hasLease) return this.#put(table, notFromTheFuture(columnsOf(record), this.#nowMs))
    if (!table.hasBytes) return this.#put(table, columnsOf(record))
    const blob = record as Awaited['record']
    this.#awaited = { table, record: blob, pieces: [], left: blob.bytesLength }
  }

  /** @throws {GodwitError} `CATALOG_ENTRY`: the file was cut */
  async end(): Promise<void> {
    if (!this.#isOver) throw unusable(this.#line + 1, 'the file ends before its last line')
  }

  /** The one member of a line. */
  #parse(text: string): readonly [string, unknown] {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      throw unusable(this.#line, 'it is not JSON')
    }
    const entries = typeof value === 'object' && value !== null ? Object.entries(value) : []
    if (entries.length !== 1) throw unusable(this.#line, 'it is not one entry')
    return entries[0]!
  }

  #readEnd(value: unknown): void {
    if (this.#awaited !== undefined) throw unusable(this.#line, 'bytes are lacking')
    if (value !== this.#line) throw unusable(this.#line, 'lines are lacking')
    this.#isOver = true
  }

  async #readBytes(value: unknown): Promise<void> {
    const awaited = this.#awaited
    if (awaited === undefined) throw unusable(this.#line, 'there is no entry for these bytes')
    const text = typeof value === 'string' ? value : ''
    const piece = Buffer.from(text, 'base64')
    const isCanonical = piece.toString('base64') === text
    // Pieces are cut in one way only, so that what is exported again is the same file.
    if (!isCanonical || piece.length !== Math.min(awaited.left, PIECE_BYTES)) {
      throw unusable(this.#line, 'these bytes are not the next ones')
    }
    awaited.pieces.push(piece)
    awaited.left -= piece.length
    if (awaited.left > 0) return
    this.#awaited = undefined
    const bytes = Buffer.concat(awaited.pieces)
    const { record, table } = awaited
    if (createHash('sha256').update(bytes).digest('hex') !== record.digest) {
      throw unusable(this.#line, 'the bytes are not those of the digest')
    }
    await this.#put(table, { ...columnsOf(record), bytes })
  }

  async #put(table: Table<unknown>, columns: Readonly<Record<string, Value>>): Promise<void> {
    const { sql, values } = insertion(table, columns as Columns, replacement(table, columns))
    await this.#statements.query(sql, values)
  }
}

/** A clock that is ahead elsewhere, or a lie, would keep an entry for ever. */
function notFromTheFuture(
  columns: Readonly<Record<string, Value>>,
  nowMs: number,
): Readonly<Record<string, Value>> {
  const { heartbeat_ms: heartbeatMs } = columns
  if (typeof heartbeatMs !== 'number') return columns
  return { ...columns, heartbeat_ms: Math.min(heartbeatMs, nowMs) }
}

function checkFirst(name: string, value: unknown): void {
  if (name !== 'godwit-catalog') throw unusable(1, 'this is no exported catalog')
  if (value === TRANSFER_VERSION) return
  const version = typeof value === 'number' ? ` (version ${value})` : ''
  const text = `This was exported by another release${version}`
  throw new GodwitError('CATALOG_VERSION', `${text}; this one reads version ${TRANSFER_VERSION}`)
}
