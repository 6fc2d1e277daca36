/**
 * Reads a catalog from lines. Nothing in the file is believed: no line is kept that is longer than
 * any may be, no memory is taken by a number in it, and either all of it is taken in or nothing.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { GodwitError, LimitError } from '@godwit/core'
import type { Database, Value } from './database.ts'
import { ENTRIES_MAX, checkRoom } from './entries.ts'
import { checkRecord } from './schemas.ts'
import { Spool } from './spool.ts'
import { MAP_VERSIONS_MAX, PAIRS_MAX, checkPairs } from './static-maps.ts'
import type { Columns, Table } from './tables.ts'
import { columnsOf, insertion, linkTable, machineTable, replacement, vmTable } from './tables.ts'
import { LINE_BYTES_MAX, PIECE_BYTES, TRANSFER_VERSION, tables } from './transfer.ts'

/** How many entries came in, by kind. */
export type Imported = Readonly<Record<string, number>>

/** How many lines of each kind there can be. */
const entriesMax: Readonly<Record<string, number>> = {
  machine: ENTRIES_MAX,
  link: ENTRIES_MAX,
  vm: ENTRIES_MAX,
  map: PAIRS_MAX * MAP_VERSIONS_MAX,
  learning: PAIRS_MAX,
}

/** An entry whose bytes are still to come. */
interface Awaited {
  readonly table: Table<unknown>
  readonly record: { readonly digest: string; readonly bytesLength: number }
  readonly pieces: Uint8Array[]
  left: number
}

/** Where lines come from: once, or, of what gives them again, whenever they are asked for. */
export type ImportSource = AsyncIterable<Uint8Array> | (() => AsyncIterable<Uint8Array>)

/**
 * Writers wait for one another, and agents are writers: all of it is read and checked before a
 * transaction begins, since input may take its time, or never end.
 *
 * @throws {GodwitError} `CATALOG_ENTRY`, `CATALOG_VERSION`, `LIMIT_EXCEEDED`, `FILE_UNWRITABLE`
 */
export async function importLines(database: Database, source: ImportSource): Promise<Imported> {
  if (typeof source === 'function') {
    await readLines(source(), async () => {})
    return write(database, source())
  }
  const spool = await Spool.open()
  try {
    await readLines(spool.keep(source), async () => {})
    return await write(database, spool.read())
  } finally {
    await spool.close()
  }
}

function write(database: Database, chunks: AsyncIterable<Uint8Array>): Promise<Imported> {
  return database.transaction(async (statements) => {
    const [row] = await statements.query('SELECT NOW_MS AS now')
    const nowMs = Number(row!['now'])
    const imported = await readLines(chunks, async (table, given) => {
      const columns = (table.hasLease ? notFromTheFuture(given, nowMs) : given) as Columns
      const { sql, values } = insertion(table, columns, replacement(table, columns))
      await statements.query(sql, values)
    })
    for (const table of [machineTable, linkTable, vmTable]) await checkRoom(statements, table)
    await checkPairs(statements)
    return imported
  })
}

/** Takes one entry. */
type Put = (table: Table<unknown>, columns: Readonly<Record<string, Value>>) => Promise<void>

async function readLines(chunks: AsyncIterable<Uint8Array>, put: Put): Promise<Imported> {
  const reader = new Reader(put)
  for await (const line of splitLines(chunks)) await reader.read(line)
  reader.end()
  return reader.imported
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
  readonly #put: Put
  readonly #imported: Record<string, number> = {}
  #line = 0
  #isOver = false
  #awaited: Awaited | undefined

  constructor(put: Put) {
    this.#put = put
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
    this.#count(name)
    if (!table.hasBytes) return this.#put(table, columnsOf(record))
    const blob = record as Awaited['record']
    this.#awaited = { table, record: blob, pieces: [], left: blob.bytesLength }
  }

  /** @throws {GodwitError} `CATALOG_ENTRY`: the file was cut */
  end(): void {
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

  /** @throws {LimitError} `LIMIT_EXCEEDED`: more than any catalog has */
  #count(name: string): void {
    const value = (this.#imported[name] ?? 0) + 1
    this.#imported[name] = value
    const maximum = entriesMax[name]!
    if (value <= maximum) return
    const text = `Line ${this.#line}: a catalog has at most ${maximum} entries "${name}"`
    throw new LimitError('LIMIT_EXCEEDED', text, { limit: name, value, maximum })
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
