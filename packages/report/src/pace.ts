/**
 * How fast the guest went: before the first round, meanwhile, and at the destination.
 *
 * @module
 */
import type { Report, StepSample } from '@godwit/core'
import type { Axis } from './axis.ts'
import { linearAxis, percent } from './axis.ts'
import { leftLabels, levels } from './bar-chart.ts'
import { countText, durationText, figure } from './figure.ts'
import type { Markup } from './markup.ts'
import { html } from './markup.ts'
import type { Fact } from './section.ts'
import { factTable, key } from './section.ts'

/** Most bars of a part; our own reports have fewer samples. */
const SAMPLES_DRAWN_MAX = 1200

interface Part {
  readonly name: string
  readonly color: string
  /** By the clock of the source. */
  readonly samples: readonly StepSample[]
}

function stepsText(perSecond: number): string {
  return `${countText(Math.round(perSecond))} steps/s`
}

/** Steps per second over all samples; undefined where there is no time in them. */
function rateOf(samples: readonly StepSample[]): number | undefined {
  const ms = samples.reduce((sum, sample) => sum + sample.ms, 0)
  const steps = samples.reduce((sum, sample) => sum + sample.steps, 0)
  return ms > 0 ? (1e3 * steps) / ms : undefined
}

/** What the destination saw is moved to where the pause ends by the source's clock. */
function partsOf(source: Report, destination: Report | undefined): readonly Part[] {
  const { stages, steps: own = [], downtimeMs } = source
  const startOf = (name: string): number | undefined =>
    stages.find((stage) => stage.name === name)?.atMs
  const pauseMs = startOf('stop-and-copy') ?? Infinity
  const movesMs = startOf('pre-copy') ?? pauseMs
  const parts: Part[] = [
    {
      name: 'before the first round',
      color: 'follow',
      samples: own.filter(({ atMs, ms }) => atMs + ms / 2 < movesMs),
    },
    {
      name: 'while it moved',
      color: 'live',
      samples: own.filter(({ atMs, ms }) => atMs + ms / 2 >= movesMs),
    },
  ]
  const there = destination?.steps ?? []
  const first = there[0]
  if (first !== undefined && downtimeMs !== undefined && Number.isFinite(pauseMs)) {
    const shiftMs = pauseMs + downtimeMs - first.atMs
    const samples = there.map((sample) => ({ ...sample, atMs: sample.atMs + shiftMs }))
    parts.push({ name: 'at the destination', color: 'after', samples })
  }
  return parts.filter(({ samples }) => rateOf(samples) !== undefined)
}

/** Undefined where nobody counted. */
export function pacePart(source: Report, destination: Report | undefined): Markup | undefined {
  const parts = partsOf(source, destination)
  if (parts.length === 0) return undefined
  const rates = parts.map(({ samples }) => rateOf(samples)!)
  const facts = parts.map(({ name }, i): Fact => {
    const share =
      i === 0 || rates[0]! === 0 ? '' : ` (${Math.round((100 * rates[i]!) / rates[0]!)} %)`
    return [name, html`${figure(rates[i]!, stepsText)}${share}`]
  })
  return html`${chart(parts)}${factTable('Guest throughput', facts)}`
}

function chart(parts: readonly Part[]): Markup {
  const drawn = parts.map((part) => ({
    ...part,
    samples: part.samples.slice(0, SAMPLES_DRAWN_MAX),
  }))
  const samples = drawn.flatMap((part) => part.samples)
  const endMs = Math.max(...samples.map(({ atMs, ms }) => atMs + ms))
  const time = linearAxis(endMs, durationText)
  const rate = linearAxis(Math.max(...samples.map(perSecond)), stepsText, { isRound: true })
  const bars = drawn.flatMap((part) => part.samples.map((one) => bar(one, part, time, rate)))
  const colors = parts.map(({ name, color }) => [color, name] as const)
  const label = 'Bars of steps per second over time; the table below has the means'
  return html`${key(colors)}<div class="chart">${leftLabels(rate)}
<svg class="bars" role="img" aria-label="${label}">${levels(rate)}${bars}</svg>
${timeLabels(time)}</div>
`
}

function perSecond({ ms, steps }: StepSample): number {
  return ms > 0 ? (1e3 * steps) / ms : 0
}

function bar(sample: StepSample, { color, name }: Part, time: Axis, rate: Axis): Markup {
  const { atMs, ms } = sample
  const from = time.at(atMs)
  const [x, wide] = [percent(from), percent(time.at(atMs + ms) - from)]
  const high = rate.at(perSecond(sample))
  const title = `${name}, ${durationText(atMs)}: ${stepsText(perSecond(sample))}`
  return html`<rect class="mark ${color}" x="${x}" width="${wide}" y="${percent(1 - high)}" \
height="${percent(high)}"><title>${title}</title></rect>`
}

function timeLabels({ ticks }: Axis): Markup {
  return html`<svg class="bottom" aria-hidden="true">${ticks.map(({ at, text }) => {
    const anchor = at < 0.04 ? 'start' : at > 0.9 ? 'end' : 'middle'
    return html`<text x="${percent(at)}" y="75%" text-anchor="${anchor}">${text}</text>`
  })}</svg>`
}
