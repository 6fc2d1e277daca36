/**
 * What goes where: results on stdout, everything else on stderr, reports to their file.
 *
 * @module
 */
import { writeFileSync } from 'node:fs'
import type { Report } from '@godwit/core'
import { GodwitError, toGodwitError } from '@godwit/core'

/** A line for people about what is going on. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** The one line of an error. */
export function formatError(error: { code: string; message: string }): string {
  return `godwit: ${error.code}: ${error.message.replaceAll('\n', ' ')}`
}

/**
 * Writes a value as JSON; `-` is stdout.
 *
 * @throws {GodwitError} `FILE_UNWRITABLE`
 */
export function writeJson(file: string, value: object): void {
  const text = `${JSON.stringify(value, null, 2)}\n`
  if (file === '-') process.stdout.write(text)
  else writeText(file, text)
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
