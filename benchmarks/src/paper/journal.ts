/**
 * The runs of a grid, one line each in a file, so that a grid that was cut short goes on where it
 * was.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { GodwitError } from '@godwit/core'
import * as v from 'valibot'
import type { Cell } from './cell.ts'
import type { Measures } from './measure.ts'
import { RUN_FOR, sendOptions, WARMUPS } from './run-cell.ts'
import type { LinkKind } from './shaped-link.ts'

export const RUNS_SCHEMA = 'godwit.paper-runs/2'

/** One try of one cell. */
export interface Run {
  /** The cell's name. */
  readonly cell: string
  /** From 0. */
  readonly repeat: number
  readonly measures?: Measures
  /** Why there are none. */
  readonly failure?: string
  /** Why there were none at the try before, where this one was made again. */
  readonly earlierFailure?: string
}

/** What runs in one file have in common, in words. */
export interface RunsHeader {
  readonly grid: string
  readonly link: LinkKind
  /** A digest of the cells and of all options of their runs. */
  readonly parameters: string
  readonly release: string
  readonly node: string
  readonly machine: string
}

const fields = {
  grid: 'grid',
  link: 'link',
  parameters: 'cells or options of runs',
  release: 'release of godwit',
  node: 'version of Node',
  machine: 'machine',
} as const satisfies Record<keyof RunsHeader, string>

export interface Journal {
  /** Those that were in the file; of one that was tried again the last try. */
  readonly done: readonly Run[]
  /** Keys of those that are not tried again ({@link keyOf}). */
  readonly settled: ReadonlySet<string>
  append(run: Run): void
}

/** So often a run is tried in all: once more when the grid goes on. */
const triesMax = 2

/** What a run is known by. */
export function keyOf(cell: string, repeat: number): string {
  return `${repeat} ${cell}`
}

/** Of runs that are made here and now. */
export function headerOf(grid: string, cells: readonly Cell[], link: LinkKind): RunsHeader {
  const all = cells.map((cell) => [cell, sendOptions(cell, link), RUN_FOR, WARMUPS])
  const parameters = createHash('sha256').update(JSON.stringify(all)).digest('hex').slice(0, 16)
  const processors = cpus()
  const machine = `${processors[0]?.model ?? 'unknown'}, ${processors.length} cores`
  return { grid, link, parameters, release: release(), node: process.version, machine }
}

function release(): string {
  const own = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(own) as { version: string }).version
}

/**
 * Without a file nothing is kept.
 *
 * @throws {GodwitError} `USAGE`: the runs there were made otherwise; `FILE_UNREADABLE`,
 *   `FILE_UNWRITABLE`
 */
export function openJournal(file: string | undefined, header: RunsHeader): Journal {
  if (file === undefined) return { done: [], settled: new Set(), append: () => {} }
  const append = (run: Run): void => appendFileSync(file, `${JSON.stringify(run)}\n`)
  const text = existsSync(file) ? readText(file) : ''
  if (text !== '') return { ...readRuns(file, text, header), append }
  try {
    writeFileSync(file, `${JSON.stringify({ schema: RUNS_SCHEMA, ...header })}\n`)
  } catch (cause) {
    throw new GodwitError('FILE_UNWRITABLE', `${file} cannot be written`, { cause })
  }
  return { done: [], settled: new Set(), append }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new GodwitError('FILE_UNREADABLE', `${file} cannot be read: ${why}`, { cause })
  }
}

function readRuns(file: string, text: string, header: RunsHeader): Omit<Journal, 'append'> {
  const [first, ...lines] = text.split('\n')
  checkHeader(file, parsed(file, 1, first!), header)
  // What comes behind the last line's end was cut off in the midst of it.
  const whole = lines.slice(0, -1)
  const runs = whole.map((line, i) => runOf(file, i + 2, line))
  if (!text.endsWith('\n')) writeFileSync(file, `${[first, ...whole].join('\n')}\n`)
  const tries = Map.groupBy(runs, ({ cell, repeat }) => keyOf(cell, repeat))
  const isSettled = (all: readonly Run[]): boolean =>
    all.at(-1)!.failure === undefined || all.length >= triesMax
  const settled = [...tries].filter(([, all]) => isSettled(all)).map(([key]) => key)
  return { done: [...tries.values()].map((all) => all.at(-1)!), settled: new Set(settled) }
}

function parsed(file: string, line: number, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw damaged(file, line)
  }
}

function damaged(file: string, line: number): GodwitError {
  const what = `line ${line} is not one of runs of \`godwit bench paper\``
  return new GodwitError('FILE_UNREADABLE', `${file}: ${what}; mend it, or name another file`)
}

const headerSchema = v.object({
  schema: v.literal(RUNS_SCHEMA),
  ...v.entriesFromList(Object.keys(fields), v.optional(v.string())),
})

function checkHeader(file: string, value: unknown, header: RunsHeader): void {
  if (!v.is(headerSchema, value)) throw damaged(file, 1)
  const found = value as Partial<Record<keyof RunsHeader, string>>
  const other = (Object.keys(fields) as (keyof RunsHeader)[]).filter(
    (name) => found[name] !== header[name],
  )
  if (other.length === 0) return
  const what = other
    .map((name) => `${fields[name]} (${found[name] ?? 'not said'}, here ${header[name]})`)
    .join(', ')
  throw new GodwitError('USAGE', `${file} has runs of another ${what}; name another file`)
}

const runSchema = v.object({
  cell: v.string(),
  repeat: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  measures: v.optional(v.looseObject({ totalMs: v.number(), downtimeMs: v.number() })),
  failure: v.optional(v.string()),
  earlierFailure: v.optional(v.string()),
})

function runOf(file: string, line: number, text: string): Run {
  const value = parsed(file, line, text)
  const { success, output } = v.safeParse(runSchema, value)
  // Either figures, or why there are none.
  if (!success || (output.measures === undefined) === (output.failure === undefined)) {
    throw damaged(file, line)
  }
  return value as Run
}
