/**
 * What charts of upright bars have in common: lines at the ticks, and labels left of them.
 *
 * @module
 */
import type { Axis } from './axis.ts'
import { percent } from './axis.ts'
import type { Markup } from './markup.ts'
import { html } from './markup.ts'

/** A line across the chart at every tick. */
export function levels({ ticks }: Axis): readonly Markup[] {
  return ticks.map(({ at }) => {
    const y = percent(1 - at)
    return html`<line class="grid" x1="0" x2="100%" y1="${y}" y2="${y}"/>`
  })
}

export function leftLabels({ ticks }: Axis): Markup {
  return html`<svg class="left" aria-hidden="true">${ticks.map(
    ({ at, text }) =>
      html`<text x="100%" y="${percent(1 - at)}" dy="0.35em" text-anchor="end">${text}</text>`,
  )}</svg>`
}
