/**
 * What the runs of a grid come to: figures of each cell, ways compared pair by pair, and what that
 * says of the paper.
 *
 * @module
 */
import type { Against, Case } from '../result.ts'
import { pairedWith, toCase, toMissedCase } from '../result.ts'
import type { Cell } from './cell.ts'
import { groupOf, nameOf } from './cell.ts'
import type { Claim } from './claim.ts'
import { subjectsOf } from './claim.ts'
import type { Grid } from './grid.ts'
import type { Run } from './journal.ts'
import type { Verdict } from './judge.ts'
import { changesOf, judge } from './judge.ts'
import type { Measures, Metric, MetricId } from './measure.ts'
import { METRICS, metricOf } from './measure.ts'

/** By the cell's name, then by repeat. */
export type RunTable = ReadonlyMap<string, ReadonlyMap<number, Measures>>

/** Runs that were right. */
export function tableOf(runs: readonly Run[]): RunTable {
  const table = new Map<string, Map<number, Measures>>()
  for (const { cell, repeat, measures } of runs) {
    if (measures === undefined) continue
    const row = table.get(cell) ?? new Map<number, Measures>()
    table.set(cell, row.set(repeat, measures))
  }
  return table
}

/** The values of one cell, in the order of the repeats. */
export function valuesOf(table: RunTable, cell: string, { read }: Metric): readonly number[] {
  return [...(table.get(cell) ?? [])]
    .toSorted(([a], [b]) => a - b)
    .flatMap(([, measures]) => read(measures) ?? [])
}

/** What two cells have in the repeats in which both were right. */
export function pairsOf(
  table: RunTable,
  [ours, other]: readonly [ours: string, other: string],
  { read }: Metric,
): { readonly ours: readonly number[]; readonly against: readonly number[] } {
  const [left, right] = [table.get(ours), table.get(other)]
  const pairs = [...(left ?? [])]
    .toSorted(([a], [b]) => a - b)
    .flatMap(([repeat, measures]) => {
      const [a, b] = [read(measures), right?.has(repeat) ? read(right.get(repeat)!) : undefined]
      return a === undefined || b === undefined ? [] : [[a, b] as const]
    })
  return { ours: pairs.map(([a]) => a), against: pairs.map(([, b]) => b) }
}

/** A claim beside what was measured in one group. */
export interface Finding extends Verdict {
  readonly group: string
  readonly claim: Claim
}

export function findingsOf(
  { claims }: Grid,
  cells: readonly Cell[],
  table: RunTable,
): readonly Finding[] {
  return subjectsOf(claims, cells).map(({ claim, group }) => {
    const names = [`${group}, ${claim.way}`, `${group}, ${claim.against}`] as const
    const { ours, against } = pairsOf(table, names, metricOf(claim.metric))
    return { group, claim, ...judge(claim.says, changesOf(ours, against)) }
  })
}

/**
 * Every figure of every cell, ways other than the base against it, with the bars of the grid. A bar
 * without a pair to judge has a case of its own, which missed it.
 */
export function casesOf(grid: Grid, cells: readonly Cell[], table: RunTable): Case[] {
  return cells.flatMap((cell) => METRICS.flatMap((metric) => casesOfOne(grid, cell, metric, table)))
}

function casesOfOne(grid: Grid, cell: Cell, metric: Metric, table: RunTable): Case[] {
  const name = nameOf(cell)
  const values = valuesOf(table, name, metric)
  const facts = { name, metric: metric.name, unit: metric.unit, values }
  const compared = comparisonOf(grid, cell, metric.id, table)
  const found = grid.bars.find((one) => one.way === cell.way && one.metric === metric.id)
  const bar = found === undefined ? {} : { bar: found.bar }
  if (compared !== undefined) return [toCase({ ...facts, ...compared, ...bar })]
  const alone = values.length === 0 ? [] : [toCase(facts)]
  if (found === undefined) return alone
  const missed = { ...facts, metric: `${metric.name} against ${grid.base}`, bar: found.bar }
  return [...alone, toMissedCase(missed)]
}

/** With the values of both sides in the repeats that both have. */
function comparisonOf(
  { base }: Grid,
  cell: Cell,
  id: MetricId,
  table: RunTable,
): { values: readonly number[]; against: Against } | undefined {
  if (cell.way === base) return undefined
  const names = [nameOf(cell), `${groupOf(cell)}, ${base}`] as const
  const { ours, against } = pairsOf(table, names, metricOf(id))
  // Nothing has a ratio to nothing.
  if (ours.length === 0 || against.some((value) => value === 0)) return undefined
  return { values: ours, against: pairedWith(base, against) }
}
