/**
 * Several runs side by side.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import { linearAxis } from './axis.ts'
import type { DataRow } from './data-table.ts'
import { dataTable } from './data-table.ts'
import { ENCODINGS, pageShares } from './encodings.ts'
import type { Format } from './figure.ts'
import { bytesText, countText, durationText, figure, shareText } from './figure.ts'
import type { Markup, Part } from './markup.ts'
import { html, nothing, plainText } from './markup.ts'
import type { Run } from './run.ts'
import { key, section, stacked } from './section.ts'
import type { Row } from './track.ts'
import { trackTable } from './track.ts'

interface Metric {
  readonly name: string
  /** Of the report, where it is a field of it. */
  readonly field?: string
  readonly value: (report: Report) => number | undefined
  readonly format: Format
  /** Whether the least is the best. */
  readonly isRanked: boolean
  /** After a value, in the verdict. */
  readonly least?: string
  /** Drawn, too. */
  readonly isDrawn?: boolean
}

const seconds: Format = (value) => durationText(1e3 * value)

function sum(...values: readonly (number | undefined)[]): number | undefined {
  return values.reduce<number | undefined>(
    (total, value) => (total === undefined || value === undefined ? undefined : total + value),
    0,
  )
}

const metrics: readonly Metric[] = [
  {
    name: 'Downtime',
    least: 'of downtime',
    field: 'downtimeMs',
    value: (r) => r.downtimeMs,
    format: durationText,
    isRanked: true,
    isDrawn: true,
  },
  {
    name: 'Total',
    least: 'in total',
    field: 'totalMs',
    value: (r) => r.totalMs,
    format: durationText,
    isRanked: true,
    isDrawn: true,
  },
  {
    name: 'On the wire',
    least: 'on the wire',
    field: 'wireBytes',
    value: (r) => r.wireBytes,
    format: bytesText,
    isRanked: true,
    isDrawn: true,
  },
  {
    name: 'Of guest memory',
    value: ({ wireBytes, memoryBytes = 0 }) =>
      memoryBytes === 0 ? undefined : wireBytes / memoryBytes,
    format: shareText,
    isRanked: true,
  },
  {
    name: 'Payload of later rounds',
    field: 'resentBytes',
    value: (r) => r.resentBytes,
    format: bytesText,
    isRanked: false,
  },
  { name: 'Rounds', value: (r) => r.rounds.length, format: countText, isRanked: false },
  {
    name: 'Reservation',
    field: 'reservationMs',
    value: (r) => r.reservationMs,
    format: durationText,
    isRanked: true,
  },
  {
    name: 'Verification',
    field: 'verifyMs',
    value: (r) => r.verifyMs,
    format: durationText,
    isRanked: true,
  },
  {
    name: 'CPU, both sides',
    value: ({ cpu }) => sum(cpu?.sourceSeconds, cpu?.destinationSeconds),
    format: seconds,
    isRanked: true,
    isDrawn: true,
  },
  {
    name: 'Agent memory, both sides',
    value: ({ overheadBytes }) => sum(overheadBytes?.source, overheadBytes?.destination),
    format: bytesText,
    isRanked: true,
  },
  {
    name: 'Waits for pages',
    field: 'faults.count',
    value: (r) => r.faults?.count,
    format: countText,
    isRanked: false,
  },
  {
    name: 'Waits, 99th percentile',
    field: 'faults.p99Us',
    value: ({ faults }) => (faults?.count === 0 ? undefined : faults?.p99Us),
    format: (us) => durationText(us / 1e3),
    isRanked: true,
  },
]

/** The runs that have the least; none where all have the same, or only one has any. */
function bestOf({ value, isRanked }: Metric, runs: readonly Run[]): ReadonlySet<Run> {
  if (!isRanked) return new Set()
  const completed = runs.filter(({ main }) => main.report.outcome === 'completed')
  const values = completed.flatMap(({ main }) => value(main.report) ?? [])
  const least = Math.min(...values)
  if (values.length < 2 || values.every((one) => one === least)) return new Set()
  return new Set(completed.filter(({ main }) => value(main.report) === least))
}

/** A table of all runs, and the figures that matter most as bars. */
export function comparison(runs: readonly Run[]): Markup {
  const used = metrics.filter(({ value }) =>
    runs.some(({ main }) => value(main.report) !== undefined),
  )
  const drawn = used.filter(({ isDrawn = false }) => isDrawn)
  return section(
    2,
    'Comparison',
    html`<p class="note">${basis(runs)} Marked: the least among runs that completed.</p>
<div class="panels">${drawn.map((metric) => panel(metric, runs))}</div>
${encodingBars(runs)}${table(used, runs)}`,
  )
}

/** All runs in a sentence: `2 of 3 completed. Least downtime: 24 ms (plain); ...` */
export function comparisonVerdict(runs: readonly Run[]): string {
  const completed = runs.filter(({ main }) => main.report.outcome === 'completed').length
  const least = metrics.slice(0, 3).flatMap((metric) => {
    const [run] = bestOf(metric, runs)
    const value = run && metric.value(run.main.report)
    if (run === undefined || value === undefined) return []
    return [`${metric.format(value)} ${metric.least} (${plainText(run.label)})`]
  })
  const best = least.length === 0 ? '' : ` Least: ${least.join(', ')}.`
  return `${countText(completed)} of ${countText(runs.length)} migrations completed.${best}`
}

/** Whether it is fair to compare them. */
function basis(runs: readonly Run[]): string {
  const guests = new Set(
    runs.map(({ main: { report } }) => JSON.stringify([report.guest, report.memoryBytes])),
  )
  return guests.size === 1
    ? 'All runs moved a guest of the same kind, options and memory.'
    : 'These runs moved guests that differ in kind, options or memory: compare with care.'
}

function panel(metric: Metric, runs: readonly Run[]): Markup {
  const { name, value, format } = metric
  const best = bestOf(metric, runs)
  const axis = linearAxis(Math.max(...runs.map(({ main }) => value(main.report) ?? 0)), format)
  const rows = runs.map((run): Row => {
    const label = plainText(run.label)
    const found = value(run.main.report)
    if (found === undefined) return { name: label, marks: [], cells: ['\u2013'] }
    const color = best.has(run) ? 'best' : 'other'
    if (found === 0) return { name: label, marks: [], cells: [format(found)] }
    const marks = [{ from: 0, to: axis.at(found), color, title: `${label}: ${format(found)}` }]
    return { name: label, marks, cells: [format(found)] }
  })
  return trackTable({ caption: name, rows })
}

/** What pages were sent as, each run as a whole. */
function encodingBars(runs: readonly Run[]): Markup {
  const known = runs.filter(({ main }) => main.report.pages !== undefined)
  if (known.length === 0) return nothing
  const used = ENCODINGS.filter((one) => known.some(({ main }) => main.report.pages![one] > 0))
  const rows = known.map(({ label, main }) => ({
    name: plainText(label),
    marks: stacked(pageShares(main.report.pages!)),
    cells: [],
    isDivided: true,
  }))
  const colors = used.map((one) => [one, one] as const)
  return html`${trackTable({ caption: 'Pages by encoding', rows })}${key(colors)}`
}

function table(used: readonly Metric[], runs: readonly Run[]): Markup {
  const texts: readonly (readonly [string, (report: Report) => Part])[] = [
    ['Outcome', outcomePart],
    ['Mode', ({ mode = '\u2013' }) => mode],
    ['Encoders', ({ encoders = [] }) => plainText(encoders.join(', '))],
    ['Security', ({ security = '\u2013' }) => security],
  ]
  const heads = runs.map(({ label }, i) => html`<a href="#run-${i + 1}">${plainText(label)}</a>`)
  const words = texts.map(([name, text]) => ({
    name,
    cells: runs.map(({ main }) => html`<span class="text">${text(main.report)}</span>`),
  }))
  const numbers = used.map((metric) => metricRow(metric, runs))
  return dataTable('Comparison', ['', ...heads], [...words, ...numbers, ...encodingRows(runs)])
}

/** The code of an error may break at its underscores. */
function outcomePart({ outcome, error }: Report): Part {
  if (error === undefined) return outcome
  const code = error.code.split('_').map((word, i) => (i === 0 ? word : html`_<wbr>${word}`))
  return html`${outcome}<span class="about">${code}</span>`
}

const sign = html`<span class="sign"> best</span>`

function metricRow(metric: Metric, runs: readonly Run[]): DataRow {
  const { name, value, format, field } = metric
  const best = bestOf(metric, runs)
  const cells = runs.map((run) => {
    const found = value(run.main.report)
    if (found === undefined) return '\u2013'
    const shown = figure(found, format, field)
    const { index } = run.main
    return best.has(run)
      ? html`<span class="best" data-report="${index}">${shown}${sign}</span>`
      : html`<span data-report="${index}">${shown}</span>`
  })
  return { name, cells }
}

function encodingRows(runs: readonly Run[]): readonly DataRow[] {
  return ENCODINGS.filter((one) =>
    runs.some(({ main }) => (main.report.pages?.[one] ?? 0) > 0),
  ).map((encoding) => ({
    name: `Pages, ${encoding}`,
    cells: runs.map(({ main }) => {
      const count = main.report.pages?.[encoding]
      if (count === undefined) return '\u2013'
      const shown = figure(count, countText, `pages.${encoding}`)
      return html`<span data-report="${main.index}">${shown}</span>`
    }),
  }))
}
