/**
 * The figures of a grid as rows of text: for a terminal, and for documents.
 *
 * @module
 */
import { formatBytes, formatDurationMs } from '@godwit/core'
import { max, median, min } from 'simple-statistics'
import type { Case, Unit } from '../result.ts'
import { formatValue } from '../result.ts'
import { groupOf, nameOf } from './cell.ts'
import type { Finding } from './summary.ts'
import { tableOf, valuesOf } from './summary.ts'
import { formatChanges, formatClaim, formatRuling, formatSays } from './judge.ts'
import type { Measures, Metric } from './measure.ts'
import { METRICS } from './measure.ts'
import type { PaperFacts, PaperResult, PaperVerdicts, VerdictResult } from './paper-result.ts'
import { RULE } from './recommend.ts'

export interface TextTable {
  readonly title: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** All tables of a result, in the order in which they are read. */
export function tablesOf(result: PaperResult): readonly TextTable[] {
  return [figureTable(result.paper), pageTable(result.paper), ...verdictTablesOf(result)]
}

/** What follows from the figures: rulings, recommendations, bars, and runs that failed. */
export function verdictTablesOf({ cases, paper: facts }: VerdictResult): readonly TextTable[] {
  const failures = failureTable(facts)
  const barred = cases.filter(({ bar }) => bar !== undefined)
  return [
    ...(facts.findings.length > 0 ? [findingTable(facts)] : []),
    ...(facts.recommendations === undefined ? [] : [recommendationTable(facts)]),
    ...(barred.length > 0 ? [barTable(barred)] : []),
    ...(failures.rows.length > 0 ? [failures] : []),
  ]
}

function barTable(barred: readonly Case[]): TextTable {
  return {
    title: 'Bars',
    head: ['of', 'what', 'here', 'bar', ''],
    rows: barred.map((one) => {
      const { name, metric, bar, pass } = one
      const verdict = pass === true ? 'met' : 'MISSED'
      return [name, metric, formatJudged(one), `${bar!.op} ${bar!.value}`, verdict]
    }),
  }
}

function formatJudged({ values, unit, median: middle, ratio, against }: Case): string {
  if (values.length === 0) return 'not measured'
  if (ratio === undefined) return formatFigure(middle, unit)
  return `${ratio.toFixed(2)} of ${against!.name}`
}

function figureTable({ cells, runs }: PaperFacts): TextTable {
  const table = tableOf(runs)
  const shown = METRICS.filter((metric) =>
    cells.some((cell) => valuesOf(table, nameOf(cell), metric).length > 0),
  )
  return {
    title: 'Medians (least ... most)',
    head: ['load, memory, link', 'way', 'n', ...shown.map(({ name }) => name), 'stopped by'],
    rows: cells.map((cell) => {
      const all = [...(table.get(nameOf(cell))?.values() ?? [])]
      const figures = shown.map((metric) => spread(all, metric))
      return [groupOf(cell), cell.way, String(all.length), ...figures, stopsOf(all)]
    }),
  }
}

/** `1.20 s (1.10 s ... 1.31 s)`. */
function spread(all: readonly Measures[], { read, unit }: Metric): string {
  const values = all.flatMap((one) => read(one) ?? [])
  if (values.length === 0) return '-'
  const middle = formatFigure(median(values), unit)
  if (values.length === 1) return middle
  return `${middle} (${formatFigure(min(values), unit)} ... ${formatFigure(max(values), unit)})`
}

function formatFigure(value: number, unit: Unit): string {
  if (unit === 'ms') return formatDurationMs(value)
  return unit === 'ratio' ? `${(100 * value).toFixed(0)} %` : formatValue(value, unit)
}

/** `downtime 2, ratio 1`: the rules that ended pre-copy, with how many runs each. */
function stopsOf(all: readonly Measures[]): string {
  const rules = Map.groupBy(all, ({ stopRule }) => stopRule)
  return [...rules].map(([rule, runs]) => `${rule} ${runs.length}`).join(', ')
}

/** What was not sent as it is, in pages, and the bytes that this saved. */
function pageTable({ cells, runs }: PaperFacts): TextTable {
  const table = tableOf(runs)
  const kinds = ['raw', 'zero', 'unchanged', 'same', 'reference', 'delta', 'compressed'] as const
  const rows = cells.flatMap((cell) => {
    const all = [...(table.get(nameOf(cell))?.values() ?? [])]
    if (all.length === 0) return []
    const counts = kinds.map((kind) => String(median(all.map(({ pages }) => pages[kind]))))
    return [[groupOf(cell), cell.way, ...counts, savedText(all)]]
  })
  const head = ['load, memory, link', 'way', ...kinds, 'bytes saved, by cause']
  return { title: 'Pages of all rounds by what was sent for them (medians)', head, rows }
}

function savedText(all: readonly Measures[]): string {
  const causes = new Set(all.flatMap(({ savedBytes }) => Object.keys(savedBytes)))
  return [...causes]
    .map((cause) => [cause, median(all.map((one) => one.savedBytes[cause] ?? 0))] as const)
    .filter(([, bytes]) => bytes !== 0)
    .map(([cause, bytes]) => `${cause} ${formatBytes(bytes)}`)
    .join(', ')
}

function findingTable({ findings }: PaperVerdicts): TextTable {
  return {
    title: 'The paper, and what was measured here (change in percent, pair by pair)',
    head: ['claim', 'load, memory, link', 'where', 'the paper', 'here', ''],
    rows: findings.map((finding) => {
      const { claim, group, percents } = finding
      const [says, here] = [formatSays(claim.says), formatChanges(percents)]
      return [formatClaim(claim), group, claim.where, says, here, formatRuling(finding)]
    }),
  }
}

/** `3 of 14 claims are contradicted`, in a sentence of its own. */
export function formatConclusion(findings: readonly Finding[]): string {
  const count = (ruling: Finding['ruling']): number =>
    findings.filter((one) => one.ruling === ruling).length
  const agreed = count('agrees') + count('stronger') + count('weaker')
  const rest = `${count('not seen')} not seen here, ${count('undecided')} undecided`
  const all = `${findings.length} comparisons with the paper: ${agreed} agree`
  return `${all}, ${count('contradicts')} contradict it, ${rest}.`
}

function recommendationTable({ recommendations }: PaperVerdicts): TextTable {
  const { groups, overall, worstRatio } = recommendations!
  const last = overall === undefined ? [] : [['not known', overall, `${worstRatio!.toFixed(2)} x`]]
  return {
    title: `What to use. ${RULE}`,
    head: ['load, memory, link', 'way', 'worst load, of the best'],
    rows: [...groups.map(({ group, way }) => [group, way, '']), ...last],
  }
}

function failureTable({ runs }: PaperVerdicts): TextTable {
  const failed = runs.filter(({ failure }) => failure !== undefined)
  return {
    title: 'Runs that failed; no figure above has them',
    head: ['cell', 'repeat', 'why'],
    rows: failed.map(({ cell, repeat, failure }) => [cell, String(repeat + 1), failure!]),
  }
}

/** For what is common to all rows. */
export function formatSetting({ source, scale, link, repeats }: PaperFacts): string {
  const shaped = link === 'tbf' ? 'network namespaces and tbf' : 'a proxy with a token bucket'
  return `${source}. Scale ${scale}, each cell ${repeats} times, in turn; the link is ${shaped}.`
}
