/**
 * The pictures of a grid as data: bars with their spread, for whatever draws them.
 *
 * @module
 */
import { formatBytes } from '@godwit/core'
import { max, median, min } from 'simple-statistics'
import type { Cell } from './cell.ts'
import { formatLinkRate, nameOf } from './cell.ts'
import type { Figure, Grid } from './grid.ts'
import { metricOf } from './measure.ts'
import type { PaperFacts } from './paper-result.ts'
import type { RunTable } from './summary.ts'
import { tableOf, valuesOf } from './summary.ts'

export interface Bar {
  /** Along the axis, and which of the bars there. */
  readonly at: string
  readonly way: string
  readonly value: number
  readonly low: number
  readonly high: number
}

export interface Chart {
  readonly name: string
  readonly title: string
  /** With its unit. */
  readonly axis: string
  /** Both in the order in which they are drawn. */
  readonly places: readonly string[]
  readonly ways: readonly string[]
  readonly bars: readonly Bar[]
}

/** Those that have something to show. */
export function chartsOf({ figures }: Grid, { cells, runs }: PaperFacts): readonly Chart[] {
  const table = tableOf(runs)
  return figures
    .map((figure) => chartOf(figure, cells, table))
    .filter(({ bars }) => bars.length > 0)
}

const scales = {
  ms: { unit: 's', factor: 1e-3 },
  s: { unit: 's', factor: 1 },
  bytes: { unit: 'MiB', factor: 1 / (1 << 20) },
  ratio: { unit: '%', factor: 100 },
  count: { unit: '', factor: 1 },
} as const

function chartOf(figure: Figure, cells: readonly Cell[], table: RunTable): Chart {
  const metric = metricOf(figure.metric)
  const { unit, factor } = scales[metric.unit as keyof typeof scales]
  const place = (cell: Cell): string =>
    figure.by === 'memoryBytes' ? formatBytes(cell.memoryBytes) : cell[figure.by]
  const shown = cells.filter(figure.shows)
  const bars = shown.flatMap((cell): Bar[] => {
    const values = valuesOf(table, nameOf(cell), metric).map((value) => value * factor)
    if (values.length === 0) return []
    const [low, high] = [min(values), max(values)]
    return [{ at: place(cell), way: cell.way, value: median(values), low, high }]
  })
  return {
    name: figure.name,
    title: titleOf(figure, shown),
    axis: unit === '' ? metric.name : `${metric.name}, ${unit}`,
    places: [...new Set(bars.map(({ at }) => at))],
    ways: [...new Set(bars.map(({ way }) => way))],
    bars,
  }
}

/** With the size of memory and the link, where those are the same for all. */
function titleOf({ title, by }: Figure, shown: readonly Cell[]): string {
  const sizes = by === 'memoryBytes' ? [] : shown.map(({ memoryBytes }) => formatBytes(memoryBytes))
  const links = shown.map(({ linkRate }) => formatLinkRate(linkRate))
  const common = [new Set(sizes), new Set(links)].flatMap((set) => (set.size === 1 ? [...set] : []))
  return [title, ...common].join(', ')
}
