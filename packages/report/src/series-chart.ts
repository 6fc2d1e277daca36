/**
 * Something that a benchmark measured again and again in one run, over time.
 *
 * @module
 */
import type { ReadResult } from '@godwit/benchmarks/result-schema'
import type { Axis } from './axis.ts'
import { linearAxis, percent } from './axis.ts'
import { leftLabels, levels } from './bar-chart.ts'
import type { Format } from './figure.ts'
import { durationText, figure } from './figure.ts'
import type { Markup } from './markup.ts'
import { html, plainText } from './markup.ts'
import type { Fact } from './section.ts'
import { factTable, key } from './section.ts'

type Series = NonNullable<ReadResult['series']>[number]

/** Most bars that are drawn, and marks that are told apart. */
const POINTS_DRAWN_MAX = 1200
const colors = ['follow', 'live', 'stopped', 'after'] as const

interface Bar {
  readonly fromS: number
  readonly toS: number
  readonly value: number
  /** How many of the marks lie before its middle. */
  readonly phase: number
}

/** Bars reach back to the point before; the first is as wide as the second. */
function barsOf({ points, marks }: Series): readonly Bar[] {
  const drawn = points.slice(0, POINTS_DRAWN_MAX)
  const first = drawn[1] === undefined ? 1 : drawn[1][0] - drawn[0]![0]
  return drawn.map(([toS, value], i) => {
    const fromS = i === 0 ? toS - first : drawn[i - 1]![0]
    const before = marks.filter(({ atS }) => atS <= (fromS + toS) / 2)
    return { fromS, toS, value, phase: Math.min(before.length, colors.length - 1) }
  })
}

/** A bar for each point, coloured by what had happened, and a table of the phases. */
export function seriesChart(series: Series, format: Format): Markup {
  const bars = barsOf(series)
  const startS = bars[0]?.fromS ?? 0
  const time = linearAxis((bars.at(-1)?.toS ?? 0) - startS, (s) => durationText(1e3 * s))
  const values = linearAxis(Math.max(0, ...bars.map(({ value }) => value)), format, {
    isRound: true,
  })
  const phases = ['before', ...series.marks.map(({ name }) => `from: ${plainText(name)}`)]
    .slice(0, colors.length)
    .map((name, phase) => ({ name, phase, bars: bars.filter((bar) => bar.phase === phase) }))
    .filter((one) => one.bars.length > 0)
  const title = `${plainText(series.name)}: ${plainText(series.metric)}`
  const facts = phases.map(({ name, bars: own }): Fact => {
    const mean = own.reduce((sum, { value }) => sum + value, 0) / own.length
    const most = own.reduce((found, { value }) => Math.max(found, value), 0)
    return [name, html`mean ${figure(mean, format)}, most ${figure(most, format)}`]
  })
  const label = `Bars of ${plainText(series.metric)} over time; the table below has the means`
  const rects = bars.map((bar) => rect(bar, startS, time, values, format))
  return html`<h3>${title}</h3>
${key(phases.map(({ name, phase }) => [colors[phase]!, name] as const))}\
<div class="chart">${leftLabels(values)}
<svg class="bars" role="img" aria-label="${label}">${levels(values)}${rects}</svg>
<svg class="bottom" aria-hidden="true">${time.ticks.map(({ at, text }) => {
    const anchor = at < 0.04 ? 'start' : at > 0.9 ? 'end' : 'middle'
    return html`<text x="${percent(at)}" y="75%" text-anchor="${anchor}">${text}</text>`
  })}</svg></div>
${factTable(title, facts)}`
}

function rect(
  { fromS, toS, value, phase }: Bar,
  startS: number,
  time: Axis,
  values: Axis,
  format: Format,
): Markup {
  const from = time.at(fromS - startS)
  const wide = percent(time.at(toS - startS) - from)
  const high = values.at(value)
  const title = `${durationText(1e3 * (fromS - startS))}: ${format(value)}`
  return html`<rect class="mark ${colors[phase]!}" x="${percent(from)}" width="${wide}" \
y="${percent(1 - high)}" height="${percent(high)}"><title>${title}</title></rect>`
}
