/**
 * The runs of a grid, one line each in a file, so that a grid that was cut short goes on where it
 * was.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { GodwitError } from '@godwit/core'
import type { Cell } from './cell.ts'
import type { Measures } from './measure.ts'
import type { LinkKind } from './shaped-link.ts'

export const RUNS_SCHEMA = 'godwit.paper-runs/1'

/** One try of one cell. */
export interface Run {
  /** The cell's name. */
  readonly cell: string
  /** From 0. */
  readonly repeat: number
  readonly measures?: Measures
  /** Why there are none. */
  readonly failure?: string
}

interface Header {
  readonly schema: typeof RUNS_SCHEMA
  readonly grid: string
  readonly link: LinkKind
  /** Of the cells: runs of other ones are of no use. */
  readonly cells: string
}

export interface Journal {
  /** Those that were in the file. */
  readonly done: readonly Run[]
  append(run: Run): void
}

/** Without a file nothing is kept. @throws {GodwitError} `USAGE`, `FILE_UNWRITABLE` */
export function openJournal(
  file: string | undefined,
  grid: string,
  cells: readonly Cell[],
  link: LinkKind,
): Journal {
  if (file === undefined) return { done: [], append: () => {} }
  const header: Header = { schema: RUNS_SCHEMA, grid, link, cells: digestOf(cells) }
  const first = JSON.stringify(header)
  const append = (run: Run): void => appendFileSync(file, `${JSON.stringify(run)}\n`)
  if (existsSync(file) && readFileSync(file).length > 0) {
    return { done: readRuns(file, first), append }
  }
  try {
    writeFileSync(file, `${first}\n`)
  } catch (cause) {
    throw new GodwitError('FILE_UNWRITABLE', `${file} cannot be written`, { cause })
  }
  return { done: [], append }
}

function digestOf(cells: readonly Cell[]): string {
  return createHash('sha256').update(JSON.stringify(cells)).digest('hex').slice(0, 16)
}

function readRuns(file: string, header: string): readonly Run[] {
  const text = readFileSync(file, 'utf8')
  const [first, ...lines] = text.split('\n')
  if (first !== header) {
    const other = `${file} has runs of another grid, link or set of cells; name another file`
    throw new GodwitError('USAGE', other)
  }
  // What comes behind the last line's end was cut off in the midst of it.
  const whole = lines.slice(0, -1)
  if (!text.endsWith('\n')) writeFileSync(file, `${[first, ...whole].join('\n')}\n`)
  return whole.map((line) => JSON.parse(line) as Run)
}
