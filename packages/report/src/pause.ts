/**
 * The pause by its phases, and the waits for pages that come after it in post-copy.
 *
 * @module
 */
import type { FaultReport, Report } from '@godwit/core'
import { linearAxis, logAxis, narrow } from './axis.ts'
import { countText, durationText, figure } from './figure.ts'
import type { Markup } from './markup.ts'
import { html } from './markup.ts'
import { unseen } from './section.ts'
import { trackTable } from './track.ts'

type Downtime = NonNullable<Report['downtime']>

const phases: readonly (readonly [name: keyof Downtime, title: string])[] = [
  ['pauseMs', 'stopping the guest'],
  ['pagesMs', 'last pages'],
  ['stateMs', 'state, made ready'],
  ['resumeMs', 'going on there'],
]

/** One phase after another, and their sum. */
export function pauseTable(downtime: Downtime, downtimeMs: number): Markup {
  const axis = linearAxis(downtimeMs, durationText, { tickCount: narrow })
  let before = 0
  const rows = phases.map(([name, title]) => {
    const from = before
    before += downtime[name]
    const marks = [
      {
        from: axis.at(from),
        to: axis.at(before),
        color: 'stopped',
        title: `${title}: ${durationText(downtime[name])}`,
      },
    ]
    return { name: title, marks, cells: [figure(downtime[name], durationText, `downtime.${name}`)] }
  })
  const total = {
    name: 'downtime',
    marks: [],
    cells: [figure(downtimeMs, durationText)],
    isTotal: true,
  }
  return trackTable({
    caption: unseen('The pause by phase'),
    heads: ['Phase', 'takes'],
    axis,
    rows: [...rows, total],
  })
}

/** How long threads of the guest waited for pages, on a logarithmic axis. */
export function faultTable(faults: FaultReport): Markup {
  if (faults.count === 0) return html`<p>The guest never waited for a page.</p>`
  const { count, p50Us, p99Us, maxUs, blockedMs } = faults
  const axis = logAxis(p50Us, maxUs, (us) => durationText(us / 1e3))
  const quantiles = [
    ['median', 'p50Us', p50Us],
    ['99th percentile', 'p99Us', p99Us],
    ['longest', 'maxUs', maxUs],
  ] as const
  const rows = quantiles.map(([name, field, us]) => ({
    name,
    marks: [
      { from: 0, to: axis.at(us), color: 'follow', title: `${name}: ${durationText(us / 1e3)}` },
    ],
    cells: [figure(us, (value) => durationText(value / 1e3), `faults.${field}`)],
  }))
  const summary = html`<p>${figure(count, countText, 'faults.count')} \
${count === 1 ? 'wait' : 'waits'}, ${figure(blockedMs, durationText, 'faults.blockedMs')} in all \
threads together.</p>`
  const caption = 'How long they took, on a logarithmic axis'
  return html`${summary}${trackTable({ caption, heads: ['Wait', 'took'], axis, rows })}`
}
