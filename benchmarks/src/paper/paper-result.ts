/**
 * What a grid says: a result like that of any benchmark, with all runs, and with the paper beside
 * it.
 *
 * @module
 */
import { median } from 'simple-statistics'
import type { BenchResult } from '../result.ts'
import { toResult } from '../result.ts'
import type { Cell, Scale } from './cell.ts'
import { groupOf, nameOf } from './cell.ts'
import type { Grid } from './grid.ts'
import type { Run } from './journal.ts'
import { metricOf } from './measure.ts'
import type { Recommendations, WayFigures } from './recommend.ts'
import { recommend } from './recommend.ts'
import type { LinkKind } from './shaped-link.ts'
import type { Finding, RunTable } from './summary.ts'
import { casesOf, findingsOf, tableOf, valuesOf } from './summary.ts'

/** How a grid was measured. */
export interface PaperSetting {
  readonly scale: Scale
  readonly link: LinkKind
  readonly repeats: number
}

export interface PaperFacts extends PaperSetting {
  readonly grid: string
  readonly title: string
  readonly source: string
  readonly cells: readonly Cell[]
  readonly runs: readonly Run[]
  /** The paper's claims, each with what was measured. */
  readonly findings: readonly Finding[]
  readonly recommendations?: Recommendations
}

/** Of those what follows from the figures. */
export interface PaperVerdicts extends Pick<PaperFacts, 'findings' | 'recommendations'> {
  readonly runs: readonly Pick<Run, 'cell' | 'repeat' | 'failure'>[]
}

/** A result as it is read again: with the cases the verdicts are all that is looked at. */
export interface VerdictResult extends BenchResult {
  readonly paper: PaperVerdicts
}

/** Schema `godwit.bench/1`, with one field more. */
export interface PaperResult extends BenchResult {
  readonly paper: PaperFacts
}

export function toPaperResult(
  grid: Grid,
  cells: readonly Cell[],
  runs: readonly Run[],
  setting: PaperSetting,
): PaperResult {
  const table = tableOf(runs)
  const { title, source } = grid
  const findings = findingsOf(grid, cells, table)
  const facts = { grid: grid.name, title, source, ...setting, cells, runs, findings }
  const suits = grid.recommends ? { recommendations: recommend(waysOf(cells, table, runs)) } : {}
  const checks = grid.checks?.(cells, runs) ?? []
  const result = toResult(`paper ${grid.name}`, [...casesOf(grid, cells, table), ...checks])
  return { ...result, paper: { ...facts, ...suits } }
}

/** The medians of the ways of each group; a way that failed once is none. */
function waysOf(
  cells: readonly Cell[],
  table: RunTable,
  runs: readonly Run[],
): ReadonlyMap<string, readonly WayFigures[]> {
  const groups = Map.groupBy(cells, groupOf)
  const failed = new Set(runs.filter(({ failure }) => failure !== undefined).map((run) => run.cell))
  const isSound = (cell: Cell): boolean => table.has(nameOf(cell)) && !failed.has(nameOf(cell))
  return new Map(
    [...groups].map(([group, members]) => [
      group,
      members.filter(isSound).map((cell) => figuresOf(cell, table)),
    ]),
  )
}

function figuresOf(cell: Cell, table: RunTable): WayFigures {
  const of = (id: Parameters<typeof metricOf>[0]): number =>
    median([...valuesOf(table, nameOf(cell), metricOf(id))])
  return {
    way: cell.way,
    totalMs: of('total'),
    downtimeMs: of('downtime'),
    transferredBytes: of('transferred'),
  }
}
