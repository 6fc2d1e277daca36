/**
 * Tables of figures: a name and its numbers in each row. Where they are wider than the screen they
 * scroll by themselves.
 *
 * @module
 */
import type { Markup, Part } from './markup.ts'
import { html } from './markup.ts'
import { unseen } from './section.ts'

export interface DataRow {
  readonly name: Part
  readonly cells: readonly Part[]
  /** `total` or `left-out`. */
  readonly kind?: 'total' | 'left-out'
}

/** @param caption - for those who cannot see what stands above it */
export function dataTable(
  caption: string,
  heads: readonly [Part, ...Part[]],
  rows: readonly DataRow[],
): Markup {
  const [first, ...others] = heads
  const columns = others.map((head) => html`<th scope="col" class="number">${head}</th>`)
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0">
<table class="data"><caption>${unseen(caption)}</caption>
<thead><tr><th scope="col">${first}</th>${columns}</tr></thead>
<tbody>${rows.map(rowMarkup)}</tbody></table></div>
`
}

function rowMarkup({ name, cells, kind }: DataRow): Markup {
  const numbers = cells.map((cell) => html`<td class="number">${cell}</td>`)
  return html`<tr class="${kind ?? ''}"><th scope="row">${name}</th>${numbers}</tr>
`
}

/** A name with what it means below it. */
export function explained(name: Part, meaning: Part): Markup {
  return html`${name}<span class="about">${meaning}</span>`
}
