/**
 * Whether `--preset auto` is as good as it is to be: a pure function of runs.
 *
 * @module
 */
import { AUTO_TARGET_MS } from '@godwit/policy'
import { median } from 'simple-statistics'
import type { Case } from '../result.ts'
import { pairedWith, toCase } from '../result.ts'
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
 * target, or than `auto`: one that stops too early is quick and no use.
 */
export function autoCases(cells: readonly Cell[], runs: readonly Run[]): readonly Case[] {
  const table = tableOf(runs)
  const own = cells.filter(({ way }) => way === AUTO)
  if (own.length === 0) return []
  const names = new Set(own.map(nameOf))
  const ended = runs.filter(({ cell }) => names.has(cell))
  if (ended.length === 0) return []
  const failed = new Set(runs.filter(({ failure }) => failure !== undefined).map((run) => run.cell))
  const against = own.flatMap((cell) => againstBest(cell, cells, table, failed))
  const lost = ended.filter(({ failure }) => failure !== undefined).length
  const endless = toCase({
    name: AUTO,
    metric: 'runs without an end',
    unit: 'count',
    values: [lost],
    bar: { op: '<=', value: 0 },
  })
  const pauses = ended.flatMap(({ measures }) =>
    measures?.stopRule === 'downtime' ? [measures.downtimeMs] : [],
  )
  if (pauses.length === 0) return [...against, endless]
  const within = toCase({
    name: AUTO,
    metric: `pauses of at most ${AUTO_TARGET_MS} ms, where rounds got there`,
    unit: 'ratio',
    values: [pauses.filter((ms) => ms <= AUTO_TARGET_MS).length / pauses.length],
    bar: { op: '>=', value: withinShareMin },
  })
  return [...against, endless, within]
}

function againstBest(
  cell: Cell,
  cells: readonly Cell[],
  table: RunTable,
  failed: ReadonlySet<string>,
): Case[] {
  const name = nameOf(cell)
  if (!table.has(name)) return []
  const pauseMsMax = Math.max(AUTO_TARGET_MS, medianOf(table, name, downtime))
  const others = cells
    .filter((other) => other.way !== AUTO && groupOf(other) === groupOf(cell))
    .map((other) => ({ way: other.way, name: nameOf(other) }))
    .filter((other) => table.has(other.name) && !failed.has(other.name))
    .filter((other) => medianOf(table, other.name, downtime) <= pauseMsMax)
    .map((other) => ({ ...other, totalMs: medianOf(table, other.name, total) }))
  const best = others.toSorted((one, other) => one.totalMs - other.totalMs).at(0)
  if (best === undefined) return []
  const { ours, against } = pairsOf(table, [name, best.name], total)
  if (ours.length === 0) return []
  return [
    toCase({
      name,
      metric: `${total.name} against the best preset`,
      unit: total.unit,
      values: ours,
      against: pairedWith(best.way, against),
      bar: { op: '<=', value: totalRatioMax },
    }),
  ]
}

function medianOf(table: RunTable, name: string, metric: typeof total): number {
  return median([...valuesOf(table, name, metric)])
}
