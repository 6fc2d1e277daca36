/**
 * Files that a page is made of: reports of migrations and results of benchmarks, checked before
 * anything of them is believed.
 *
 * @module
 */
import { benchSchema } from '@godwit/benchmarks/result-schema'
import type { ReadResult } from '@godwit/benchmarks/result-schema'
import type { Report } from '@godwit/core'
import { GodwitError, REPORT_SCHEMA, formatBytes } from '@godwit/core'
import { reportSchema } from 'godwit/report-schema'
import * as v from 'valibot'
import { plainText } from './markup.ts'

/** Longest file: a hundred times what 1000 rounds take. */
export const DOCUMENT_BYTES_MAX: number = 16 * 2 ** 20

/** Most files on one page. */
export const DOCUMENTS_MAX = 32

export type Document =
  | { readonly kind: 'migration'; readonly name: string; readonly report: Report }
  | { readonly kind: 'benchmark'; readonly name: string; readonly result: ReadResult }

const schemas = { report: reportSchema, bench: benchSchema }

/**
 * Reads a file's text.
 *
 * @param name - of the file, for errors and titles
 * @throws {GodwitError} `FILE_UNREADABLE`: it is none, is broken, too long, or of a later release
 */
export function readDocument(name: string, text: string): Document {
  if (text.length > DOCUMENT_BYTES_MAX) {
    throw unreadable(name, `is longer than ${formatBytes(DOCUMENT_BYTES_MAX)}`)
  }
  const value = parse(name, text)
  const kind = kindOf(name, value)
  const { success, output, issues } = v.safeParse<v.GenericSchema<Report | ReadResult>>(
    schemas[kind],
    value,
    { abortEarly: true },
  )
  if (!success) {
    const [issue] = issues
    const path = v.getDotPath(issue) ?? ''
    const what = plainText(`${path === '' ? '' : `${path}: `}${issue.message}`)
    throw unreadable(name, `is not a valid godwit.${kind}/1: ${what}`)
  }
  return output.schema === REPORT_SCHEMA
    ? { kind: 'migration', name, report: output }
    : { kind: 'benchmark', name, result: output }
}

function parse(name: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (thrown) {
    throw unreadable(name, `is not a report: it is no JSON${hint}`, thrown)
  }
}

const hint = '; `godwit send --json FILE` writes one'

function kindOf(name: string, value: unknown): keyof typeof schemas {
  const schema = typeof value === 'object' && value !== null && 'schema' in value && value.schema
  if (typeof schema !== 'string') throw unreadable(name, `is not a report: it has no schema${hint}`)
  const match = /^godwit\.(report|bench)\/(\d{1,9})$/.exec(schema)
  if (match === null) {
    throw unreadable(name, `is not a report: its schema is ${plainText(schema)}${hint}`)
  }
  const kind = match[1] as keyof typeof schemas
  if (match[2] === '1') return kind
  const newest = `godwit.${kind}/1`
  throw unreadable(name, `is ${schema}; this release reads ${newest}: take the one that wrote it`)
}

function unreadable(name: string, text: string, cause?: unknown): GodwitError {
  return new GodwitError('FILE_UNREADABLE', `${plainText(name)} ${text}`, { cause })
}
