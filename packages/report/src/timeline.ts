/**
 * Where the time went: stages, rounds and the guest, on one axis.
 *
 * @module
 */
import type { Report, StageReport } from '@godwit/core'
import type { Axis } from './axis.ts'
import { linearAxis } from './axis.ts'
import { countText, durationText, figure } from './figure.ts'
import type { Markup } from './markup.ts'
import { html, nothing, plainText } from './markup.ts'
import { key } from './section.ts'
import type { Row } from './track.ts'
import { trackTable } from './track.ts'

/** Most stages that are shown; there are a dozen. */
export const STAGES_SHOWN_MAX = 40

const colors: Readonly<Record<string, string>> = {
  preparation: 'setup',
  reservation: 'setup',
  static: 'setup',
  'pre-copy': 'live',
  'stop-and-copy': 'stopped',
  commit: 'stopped',
  'post-copy': 'follow',
  recovery: 'stopped',
}

/** Which stage the rounds of a kind began with, and their colour. */
const roundStages = {
  live: { stage: 'pre-copy', color: 'live' },
  paused: { stage: 'stop-and-copy', color: 'stopped' },
  follow: { stage: 'post-copy', color: 'follow' },
} as const

/** A table with a track for each stage. */
export function timeline(report: Report, caption: string): Markup {
  const stages = report.stages.slice(0, STAGES_SHOWN_MAX)
  const rounds = roundSpans(report)
  const ends = [...stages.map(({ atMs }) => atMs), ...rounds.map(({ untilMs }) => untilMs)]
  const endMs = ends.reduce((last, ms) => Math.max(last, ms), 0)
  const axis = linearAxis(endMs, durationText)
  const guest = guestRow(report, axis, endMs)
  const table = trackTable({
    caption,
    heads: ['Stage', 'begins at', 'takes'],
    axis,
    rows: [
      ...guest,
      ...roundRow(rounds, axis),
      ...stages.map((stage, i) => stageRow(stage, i, stages[i + 1], report, axis)),
    ],
  })
  return html`${guest.length === 0 ? nothing : key(guestColors)}${table}`
}

/** What the colours say of the guest. */
const guestColors: Parameters<typeof key>[0] = [
  ['live', 'the guest runs at the source'],
  ['stopped', 'it stands still'],
  ['follow', 'it runs at the destination'],
]

function stageRow(
  { name, atMs }: StageReport,
  index: number,
  next: StageReport | undefined,
  report: Report,
  axis: Axis,
): Row {
  const shown = plainText(name)
  const start = figure(atMs, durationText, `stages.${index}.atMs`)
  const color = Object.hasOwn(colors, name) ? colors[name]! : 'after'
  if (next !== undefined) {
    const ms = Math.max(0, next.atMs - atMs)
    const marks = [
      { ...span(axis, atMs, next.atMs), color, title: `${shown}: ${durationText(ms)}` },
    ]
    return { name: shown, marks, cells: [start, figure(ms, durationText)] }
  }
  // Of the last one only its beginning is known.
  const isEnd = report.outcome !== 'completed'
  const at = axis.at(atMs)
  const marks = [{ from: at, to: at, color: isEnd ? 'stopped' : color, title: shown }]
  const end = isEnd
    ? html`<span class="bad">ended here</span>`
    : html`<span class="missing">open</span>`
  return { name: shown, marks, cells: [start, end] }
}

interface Span {
  readonly fromMs: number
  readonly untilMs: number
  readonly color: string
  readonly title: string
}

/** Rounds one after another, from the beginning of their stage. */
function roundSpans({ rounds, stages, outcome }: Report): readonly Span[] {
  const starts = new Map(stages.map(({ name, atMs }) => [name, atMs]))
  const isLate = !starts.has('pre-copy') && starts.has('post-copy')
  const ends = new Map<string, number>()
  // A round of post-copy is recorded when it has ended: then it is the last one.
  const isFilled = outcome === 'completed' && starts.has('post-copy')
  const last = isFilled && !rounds.some(({ paused }) => paused) ? rounds.length - 1 : undefined
  let wasPaused = false
  return rounds.flatMap(({ round, ms, paused }, i): Span[] => {
    const kind = paused ? 'paused' : isLate || wasPaused || i === last ? 'follow' : 'live'
    wasPaused ||= paused
    const { stage, color } = roundStages[kind]
    const fromMs = ends.get(stage) ?? starts.get(stage)
    if (fromMs === undefined) return []
    const untilMs = fromMs + ms
    ends.set(stage, untilMs)
    return [{ fromMs, untilMs, color, title: `round ${round}: ${durationText(ms)}` }]
  })
}

/** Most rounds that are drawn one by one; more of them are one bar for each stage. */
const ROUNDS_DRAWN_MAX = 500

function roundRow(rounds: readonly Span[], axis: Axis): readonly Row[] {
  if (rounds.length === 0) return []
  const isDivided = rounds.length <= ROUNDS_DRAWN_MAX
  const drawn = isDivided ? rounds : merged(rounds)
  const marks = drawn.map(({ fromMs, untilMs, color, title }) => ({
    ...span(axis, fromMs, untilMs),
    color,
    title,
  }))
  const sum = rounds.reduce((ms, { fromMs, untilMs }) => ms + untilMs - fromMs, 0)
  const name = rounds.length === 1 ? '1 round' : `${countText(rounds.length)} rounds`
  const start = figure(rounds[0]!.fromMs, durationText)
  return [{ name, marks, cells: [start, figure(sum, durationText)], isDivided }]
}

/** One for all that have the same colour. */
function merged(rounds: readonly Span[]): readonly Span[] {
  return [...Map.groupBy(rounds, ({ color }) => color)].map(([color, members]) => ({
    fromMs: members[0]!.fromMs,
    untilMs: members.at(-1)!.untilMs,
    color,
    title: `${countText(members.length)} rounds`,
  }))
}

/** Where the guest ran; only where it did move. */
function guestRow(report: Report, axis: Axis, endMs: number): readonly Row[] {
  const { downtimeMs, role, outcome, stages } = report
  const stoppedMs = stages.find(({ name }) => name === 'stop-and-copy')?.atMs
  if (role !== 'source' || outcome !== 'completed') return []
  if (stoppedMs === undefined || downtimeMs === undefined) return []
  const runsMs = stoppedMs + downtimeMs
  const stopped = `the guest stands still: ${durationText(downtimeMs)}`
  return [
    {
      name: 'guest',
      marks: [
        { ...span(axis, 0, stoppedMs), color: 'live', title: 'the guest runs at the source' },
        { ...span(axis, runsMs, endMs), color: 'follow', title: 'it runs at the destination' },
        { ...span(axis, stoppedMs, runsMs), color: 'stopped', title: stopped },
      ],
      cells: [
        html`stops ${figure(stoppedMs, durationText)}`,
        html`for ${figure(downtimeMs, durationText)}`,
      ],
    },
  ]
}

function span(axis: Axis, fromMs: number, untilMs: number): { from: number; to: number } {
  return { from: axis.at(fromMs), to: axis.at(untilMs) }
}
