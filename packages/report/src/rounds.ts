/**
 * Rounds: bandwidth and dirty rate of each, and a table of them all.
 *
 * @module
 */
import type { RoundReport } from '@godwit/core'
import type { Axis } from './axis.ts'
import { linearAxis, percent } from './axis.ts'
import { leftLabels, levels } from './bar-chart.ts'
import type { DataRow } from './data-table.ts'
import { dataTable } from './data-table.ts'
import type { Format } from './figure.ts'
import { bytesText, countText, durationText, figure, rateText, shareText } from './figure.ts'
import type { Markup } from './markup.ts'
import { html, nothing } from './markup.ts'
import { key } from './section.ts'

/** Most rounds that are shown; of more, as many of the first as of the last. */
export const ROUNDS_SHOWN_MAX = 60

/** Rounds and where they stand in the report. */
type Shown = readonly (readonly [index: number, round: RoundReport])[]

interface Selection {
  readonly first: Shown
  readonly left: readonly RoundReport[]
  readonly last: Shown
}

function select(rounds: readonly RoundReport[]): Selection {
  const all = [...rounds.entries()]
  if (all.length <= ROUNDS_SHOWN_MAX) return { first: all, left: [], last: [] }
  const half = ROUNDS_SHOWN_MAX / 2
  return {
    first: all.slice(0, half),
    left: rounds.slice(half, rounds.length - half),
    last: all.slice(-half),
  }
}

/** What keeps rounds going, against what ends them. */
export function rateChart(rounds: readonly RoundReport[]): Markup {
  const { first, left, last } = select(rounds)
  const shown = [...first, ...last].map(([, round]) => round)
  const rates = shown.flatMap(({ bandwidth, dirtyRate = 0 }) => [bandwidth, dirtyRate])
  const axis = linearAxis(Math.max(...rates), rateText, { isRound: true })
  const gap = left.length === 0 ? '' : `, ${countText(left.length)} in between are left out`
  const label =
    `Bars of bandwidth and dirty rate for ${countText(shown.length)} rounds${gap}; ` +
    'the table of rounds has the figures'
  return html`${key(colorsOf(shown))}<div class="chart">${leftLabels(axis)}
<svg class="bars" role="img" aria-label="${label}">${levels(axis)}
${shown.map((round, i) => bars(round, i, shown.length, axis))}</svg>
${bottomLabels(shown)}</div>
`
}

function colorsOf(rounds: readonly RoundReport[]): Parameters<typeof key>[0] {
  const meanings = [
    ['link', 'bandwidth', rounds.some(({ paused }) => !paused)],
    ['dirty', 'dirty rate', rounds.some(({ dirtyRate }) => dirtyRate !== undefined)],
    ['stopped', 'bandwidth while the guest stood still', rounds.some(({ paused }) => paused)],
  ] as const
  return meanings.filter(([, , isShown]) => isShown).map(([color, name]) => [color, name])
}

function bottomLabels(rounds: readonly RoundReport[]): Markup {
  const step = Math.ceil(rounds.length / 10)
  const labels = rounds.map(({ round }, i) => {
    const x = percent((i + 0.5) / rounds.length)
    return i % step === 0
      ? html`<text x="${x}" y="75%" text-anchor="middle">${round}</text>`
      : nothing
  })
  return html`<svg class="bottom" aria-hidden="true">${labels}</svg>`
}

/** Two bars: bandwidth left of the middle, dirty rate right of it. */
function bars(one: RoundReport, index: number, count: number, axis: Axis): Markup {
  const { round, bandwidth, dirtyRate, paused } = one
  // A few rounds make no wider bars than a dozen.
  const width = 0.36 * Math.min(1, count / 8)
  const middle = index + 0.5
  const bar = (from: number, rate: number, color: string, name: string): Markup => {
    const [x, wide] = [percent(from / count), percent(width / count)]
    const [y, high] = [percent(1 - axis.at(rate)), percent(axis.at(rate))]
    const title = `round ${round}: ${name} ${rateText(rate)}`
    return html`<rect class="mark ${color}" x="${x}" width="${wide}" y="${y}" height="${high}">\
<title>${title}</title></rect>`
  }
  const sent = bar(middle - width, bandwidth, paused ? 'stopped' : 'link', 'bandwidth')
  const dirty = dirtyRate === undefined ? nothing : bar(middle, dirtyRate, 'dirty', 'dirty rate')
  return html`${sent}${dirty}`
}

type Column = readonly [head: string, name: keyof RoundReport, format: Format]

const columns: readonly Column[] = [
  ['Pages', 'pages', countText],
  ['Held', 'heldPages', countText],
  ['Bytes', 'bytes', bytesText],
  ['Time', 'ms', durationText],
  ['Bandwidth', 'bandwidth', rateText],
  ['Granted', 'grantedBandwidth', rateText],
  ['Dirty after it', 'dirtyPages', countText],
  ['Dirty rate', 'dirtyRate', rateText],
  ['Throttle', 'throttle', shareText],
]

/** Of them a sum tells something. */
const summed: ReadonlySet<string> = new Set(['pages', 'bytes', 'ms'])

/** A row for each round; columns that no round has are left out. */
export function roundTable(rounds: readonly RoundReport[]): Markup {
  const used = columns.filter(([, name]) => rounds.some((round) => round[name] !== undefined))
  const { first, left, last } = select(rounds)
  const row = (shown: Shown[number]): DataRow => roundRow(shown, used)
  return dataTable(
    'Rounds',
    ['Round', ...used.map(([head]) => head)],
    [...first.map(row), ...leftRow(left, used), ...last.map(row)],
  )
}

/** Those that are not listed one by one, as a sum. */
function leftRow(left: readonly RoundReport[], used: readonly Column[]): readonly DataRow[] {
  if (left.length === 0) return []
  const cells = used.map(([, name, format]) => {
    if (!summed.has(name)) return ''
    return figure(
      left.reduce((total, round) => total + Number(round[name]), 0),
      format,
    )
  })
  return [{ name: `${countText(left.length)} more, together`, cells, kind: 'left-out' }]
}

function roundRow([index, one]: Shown[number], used: readonly Column[]): DataRow {
  const paused = one.paused ? html` <span class="tag">paused</span>` : nothing
  const cells = used.map(([, name, format]) => {
    const value = one[name]
    return typeof value === 'number' ? figure(value, format, `rounds.${index}.${name}`) : ''
  })
  return { name: html`${one.round}${paused}`, cells }
}
