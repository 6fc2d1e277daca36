/**
 * The file that `export` writes and `import` reads: a line of JSON for each entry.
 *
 * ```text
 * {"godwit-catalog":1}                      first
 * {"machine":{...}}  {"link":{...}}  {"vm":{...}}
 * {"map":{...}}  {"learning":{...}}         each followed by its bytes, in pieces
 * {"bytes":"..."}                           base64 of 1 MiB, the last piece of what is left
 * {"end":N}                                 last: how many lines there are, this one included
 * ```
 *
 * @module
 */
import type { Table } from './tables.ts'
import { learningTable, linkTable, machineTable, mapTable, vmTable } from './tables.ts'

export const TRANSFER_VERSION = 1
/** Of the bytes of a map in one line. */
export const PIECE_BYTES: number = 1024 * 1024
/** A piece in base64, and the longest entry. */
export const LINE_BYTES_MAX: number = 2 * PIECE_BYTES

/** What a line is named after, in the order of the file. */
export const tables: Readonly<Record<string, Table<unknown>>> = {
  machine: machineTable,
  link: linkTable,
  vm: vmTable,
  map: mapTable,
  learning: learningTable,
}
