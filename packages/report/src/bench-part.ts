/**
 * Results of a benchmark.
 *
 * @module
 */
import { verdictTablesOf } from '@godwit/benchmarks/paper-table'
import type { ReadResult } from '@godwit/benchmarks/result-schema'
import type { Axis } from './axis.ts'
import { linearAxis } from './axis.ts'
import type { DataRow } from './data-table.ts'
import { dataTable, explained } from './data-table.ts'
import { bytesText, countText, durationText, figure, rateText } from './figure.ts'
import type { Format } from './figure.ts'
import type { Markup } from './markup.ts'
import { html, nothing, plainText } from './markup.ts'
import { section } from './section.ts'
import { seriesChart } from './series-chart.ts'
import { track } from './track.ts'

type Case = ReadResult['cases'][number]

/** Most cases of one benchmark that are shown, and all that have a bar. */
export const CASES_SHOWN_MAX = 200

const formats: Readonly<Record<Case['unit'], Format>> = {
  count: countText,
  'bytes/s': rateText,
  bytes: bytesText,
  s: (value) => durationText(1e3 * value),
  ms: durationText,
  us: (value) => durationText(value / 1e3),
  ns: (value) => `${value.toFixed(0)}\u00a0ns`,
  '1/s': (value) => `${countText(value)}\u00a0/s`,
  ratio: (value) => value.toFixed(2),
}

const signs = { '>=': '\u2265', '<=': '\u2264' }

/** A table of its cases; those with the same unit and metric are drawn on one axis. */
export function benchPart(result: ReadResult, id: string): Markup {
  const { name, machine } = result
  const cases = result.cases.filter(({ bar }, i) => bar !== undefined || i < CASES_SHOWN_MAX)
  const { cpu, cores, memoryBytes, kernel, node } = machine
  const where = [
    plainText(cpu),
    `${countText(cores)} cores`,
    bytesText(memoryBytes),
    `Linux ${plainText(kernel)}`,
    `Node ${plainText(node)}`,
  ]
  const axes = new Map<string, Axis>()
  for (const [scale, members] of Map.groupBy(cases, scaleOf)) {
    axes.set(scale, linearAxis(Math.max(...members.map(({ max }) => max)), String))
  }
  const left = result.cases.length - cases.length
  const more = left === 0 ? '' : ` ${countText(left)} more cases are left out.`
  const table = dataTable(
    `Benchmark ${plainText(name)}`,
    ['Case', 'Median, from min to max', 'Median', 'Min', 'Max', 'n', 'Ratio', 'Bar'],
    cases.map((one) => caseRow(one, axes.get(scaleOf(one))!)),
  )
  const body = html`<p class="note">${where.join(', ')}.${more}</p>
${verdicts(result)}${table}${over(result)}`
  return html`<div id="${id}">${section(2, `Benchmark ${plainText(name)}`, body)}</div>`
}

/** What the grid of a paper came to: rulings, recommendations, bars, runs that failed. */
function verdicts({ paper, ...result }: ReadResult): readonly Markup[] {
  if (paper === undefined) return []
  return verdictTablesOf({ ...result, paper }).map(({ title, head, rows }) => {
    const [first = '', ...others] = head.map(plainText)
    const lines = rows.map(([name = '', ...cells]) => ({
      name: plainText(name),
      cells: cells.map(plainText),
    }))
    const table = dataTable(plainText(title), [first, ...others], lines)
    return html`<h3>${plainText(title)}</h3>${table}`
  })
}

/** Most of them that are drawn. */
const SERIES_SHOWN_MAX = 20

function over({ series = [] }: ReadResult): readonly Markup[] {
  return series
    .slice(0, SERIES_SHOWN_MAX)
    .filter(({ points }) => points.length > 0)
    .map((one) => seriesChart(one, formats[one.unit]))
}

function scaleOf({ metric, unit }: Case): string {
  return `${unit} ${metric}`
}

/** A bar that had nothing to judge. */
function unmeasuredRow({ name, metric, bar }: Case): DataRow {
  const limit = bar === undefined ? '' : `${signs[bar.op]}\u00a0${bar.value}`
  const missed = html`${limit} <span class="bad">missed</span>`
  const none = html`<span class="missing">not measured</span>`
  return {
    name: explained(plainText(name), plainText(metric)),
    cells: [none, '', '', '', countText(0), '', missed],
  }
}

function caseRow(one: Case, axis: Axis): DataRow {
  const { name, metric, unit, median, min, max, values, ratio, against, bar, pass } = one
  if (values.length === 0) return unmeasuredRow(one)
  const format = formats[unit]
  const spread = `${format(min)} to ${format(max)}`
  const middle = axis.at(median)
  const marks = [
    { from: 0, to: middle, color: 'other', title: format(median) },
    ...(values.length < 2
      ? []
      : [{ from: axis.at(min), to: axis.at(max), color: 'sent thin', title: spread }]),
  ]
  const versus =
    ratio === undefined ? '' : `${ratio.toFixed(2)} of ${plainText(against?.name ?? '')}`
  const limit =
    bar === undefined
      ? ''
      : `${signs[bar.op]}\u00a0${ratio === undefined ? format(bar.value) : bar.value}`
  const verdict =
    pass === undefined
      ? nothing
      : html` <span class="${pass ? 'good' : 'bad'}">${pass ? 'met' : 'missed'}</span>`
  return {
    name: explained(plainText(name), plainText(metric)),
    cells: [
      track(marks),
      figure(median, format),
      figure(min, format),
      figure(max, format),
      countText(values.length),
      versus,
      html`${limit}${verdict}`,
    ],
  }
}
