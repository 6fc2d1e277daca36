/**
 * Whether `--preset auto` is as good as it is to be: a pure function of runs.
 *
 * @module
 */
import { AUTO_TARGET_MS } from '@godwit/policy'
import { median } from 'simple-statistics'
import type { Case, CaseFacts } from '../result.ts'
import { pairedWith, toCase, toMissedCase } from '../result.ts'
import type { Cell } from './cell.ts'
import { groupOf, nameOf } from './cell.ts'
import type { Run } from './journal.ts'
import { metricOf } from './measure.ts'
import type { RunTable } from './summary.ts'
import { pairsOf, tableOf, valuesOf } from './summary.ts'

/** The way that is judged. */
export const AUTO = 'auto'
/** At most so many times the best of the others. */
const totalRatioMax = 1.1
/** Of the runs in which it said that rounds got there. */
const withinShareMin = 0.95

const total = metricOf('total')
const downtime = metricOf('downtime')

/**
 * Its total time against that of the best fixed preset, load by load; how many of its runs had no
 * end; and how many of those that converged paused for no longer than was aimed at.
 *
 * A preset that never failed is the best when its median is, of those that pause no longer than the
 * target, or than `auto`: one that stops too early is quick and no use. A bar that nothing was
 * measured for is missed.
 */
export function autoCases(cells: readonly Cell[], runs: readonly Run[]): readonly Case[] {
  const table = tableOf(runs)
  const own = cells.filter(({ way }) => way === AUTO)
  if (own.length === 0) return []
  const names = new Set(own.map(nameOf))
  const ended = runs.filter(({ cell }) => names.has(cell))
  const failed = new Set(runs.filter(({ failure }) => failure !== undefined).map((run) => run.cell))
  const against = own.map((cell) => againstBest(cell, cells, table, failed))
  // A try that was made again did not end, either.
  const lost = ended.filter(
    ({ failure, earlierFailure }) => (failure ?? earlierFailure) !== undefined,
  ).length
  const endless = judged({
    name: AUTO,
    metric: 'runs without an end',
    unit: 'count',
    values: ended.length === 0 ? [] : [lost],
    bar: { op: '<=', value: 0 },
  })
  const pauses = ended.flatMap(({ measures }) =>
    measures?.stopRule === 'downtime' ? [measures.downtimeMs] : [],
  )
  const short = pauses.filter((ms) => ms <= AUTO_TARGET_MS).length
  const within = judged({
    name: AUTO,
    metric: `pauses of at most ${AUTO_TARGET_MS} ms, where rounds got there`,
    unit: 'ratio',
    values: pauses.length === 0 ? [] : [short / pauses.length],
    bar: { op: '>=', value: withinShareMin },
  })
  return [...against, endless, within]
}

/** Where nothing was measured the bar is missed. */
function judged(facts: CaseFacts & Required<Pick<CaseFacts, 'bar'>>): Case {
  return facts.values.length === 0 ? toMissedCase(facts) : toCase(facts)
}

function againstBest(
  cell: Cell,
  cells: readonly Cell[],
  table: RunTable,
  failed: ReadonlySet<string>,
): Case {
  const name = nameOf(cell)
  const best = table.has(name) ? bestOf(cell, cells, table, failed) : undefined
  const pairs = best === undefined ? undefined : pairsOf(table, [name, best.name], total)
  return judged({
    name,
    metric: `${total.name} against the best preset`,
    unit: total.unit,
    values: pairs?.ours ?? [],
    ...(pairs === undefined || pairs.ours.length === 0
      ? {}
      : { against: pairedWith(best!.way, pairs.against) }),
    bar: { op: '<=', value: totalRatioMax },
  })
}

/** Of the others of the same load; undefined where none was sound. */
function bestOf(
  cell: Cell,
  cells: readonly Cell[],
  table: RunTable,
  failed: ReadonlySet<string>,
): { readonly way: string; readonly name: string } | undefined {
  const pauseMsMax = Math.max(AUTO_TARGET_MS, medianOf(table, nameOf(cell), downtime))
  return cells
    .filter((other) => other.way !== AUTO && groupOf(other) === groupOf(cell))
    .map((other) => ({ way: other.way, name: nameOf(other) }))
    .filter((other) => table.has(other.name) && !failed.has(other.name))
    .filter((other) => medianOf(table, other.name, downtime) <= pauseMsMax)
    .map((other) => ({ ...other, totalMs: medianOf(table, other.name, total) }))
    .toSorted((one, other) => one.totalMs - other.totalMs)
    .at(0)
}

function medianOf(table: RunTable, name: string, metric: typeof total): number {
  return median([...valuesOf(table, name, metric)])
}
