/**
 * What goes where: results on stdout, everything else on stderr, reports to their file.
 *
 * @module
 */
import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs'
import type { Report } from '@godwit/core'
import { GodwitError, toGodwitError } from '@godwit/core'
import { escapeJson, printable, printableJson, printableLines } from './printable.ts'

/** A line for people about what is going on; what a terminal would obey is not in it. */
export function note(text: string): void {
  process.stderr.write(`${printableLines(text)}\n`)
}

/** A line of JSON for a log, with its line feed; peers may say some of it. */
export function noteJson(line: string): void {
  process.stderr.write(escapeJson(line))
}

/** A result, of one or several lines; what a terminal would obey is not in it. */
export function print(text: string): void {
  process.stdout.write(`${printableLines(text)}\n`)
}

/** A result for programs; `indent` makes several lines of it. */
export function printJson(value: unknown, indent?: number): void {
  process.stdout.write(`${printableJson(value, indent)}\n`)
}

/** The one line of an error; its text may be a peer's. */
export function formatError(error: { code: string; message: string }): string {
  return `godwit: ${error.code}: ${printable(error.message)}`
}

/**
 * Writes a value as JSON; `-` is stdout.
 *
 * @throws {GodwitError} `FILE_UNWRITABLE`
 */
export function writeJson(file: string, value: object): void {
  if (file === '-') printJson(value, 2)
  else writeText(file, `${printableJson(value, 2)}\n`)
}

/** @throws {GodwitError} `FILE_UNWRITABLE` */
export function writeText(file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    throw new GodwitError('FILE_UNWRITABLE', `${file} cannot be written: ${reason}`)
  }
}

/** Writes the report where `--json` says; failing at that does not undo a migration. */
export function saveReport(file: string | undefined, report: Report): void {
  if (file === undefined) return
  try {
    writeJson(file, report)
  } catch (thrown) {
    note(formatError(toGodwitError(thrown)))
  }
}

/** Fails before the migration, not after it, when the report could not be written. */
export function checkWritable(file: string | undefined): void {
  if (file === undefined || file === '-') return
  try {
    writeFileSync(file, '', { flag: 'a' })
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    throw new GodwitError('FILE_UNWRITABLE', `${file} cannot be written: ${reason}`)
  }
}

/**
 * Makes a folder to write to, before there is anything to write.
 *
 * @throws {GodwitError} `FILE_UNWRITABLE`
 */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true })
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    throw new GodwitError('FILE_UNWRITABLE', `${folder} cannot be written to: ${reason}`)
  }
}
