/**
 * Writes a catalog as lines, one entry at a time.
 *
 * @module
 */
import type { Database, Value } from './database.ts'
import type { MapRecord } from './records.ts'
import { withBytes } from './static-maps.ts'
import type { Table } from './tables.ts'
import { recordOf, whereKey } from './tables.ts'
import { PIECE_BYTES, TRANSFER_VERSION, tables } from './transfer.ts'

/** Each line with its line feed. */
export async function* exportLines(database: Database): AsyncGenerator<string> {
  let lines = 1
  yield `${JSON.stringify({ 'godwit-catalog': TRANSFER_VERSION })}\n`
  for (const [name, table] of Object.entries(tables)) {
    for await (const line of linesOf(database, name, table)) {
      lines++
      yield line
    }
  }
  yield `${JSON.stringify({ end: lines + 1 })}\n`
}

async function* linesOf(
  database: Database,
  name: string,
  table: Table<unknown>,
): AsyncGenerator<string> {
  for (const key of await keysOf(database, table)) {
    // Read one at a time: all maps together may be more than memory has room for.
    const sql = `SELECT * FROM ${table.name} WHERE ${whereKey(table)}`
    const [row] = await database.query(sql, key)
    if (row === undefined) continue
    yield `${JSON.stringify({ [name]: recordOf(table, row) })}\n`
    if (!table.hasBytes) continue
    const { bytes } = withBytes(table as Table<MapRecord>, row)
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + PIECE_BYTES)
      yield `${JSON.stringify({ bytes: Buffer.from(piece).toString('base64') })}\n`
    }
  }
}

/** In the order of code units, so that the same catalog is the same file on any server. */
async function keysOf(
  database: Database,
  { name, key }: Table<unknown>,
): Promise<readonly (readonly Value[])[]> {
  const rows = await database.query(`SELECT ${key.join(', ')} FROM ${name}`)
  const keys = rows.map((row) => key.map((column) => row[column]!))
  return keys.sort((a, b) => {
    const at = a.findIndex((value, index) => value !== b[index])
    return at < 0 || a[at]! < b[at]! ? -1 : 1
  })
}
