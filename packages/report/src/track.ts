/**
 * Plots whose rows are rows of a table: a track of marks between a name and its figures. Where
 * there is little room the track goes below them, by style; so rows and cells say what they are.
 *
 * @module
 */
import type { Axis } from './axis.ts'
import { percent } from './axis.ts'
import type { Markup, Part } from './markup.ts'
import { html, nothing } from './markup.ts'

/** Something from here to there, as shares of the width. */
export interface Mark {
  readonly from: number
  readonly to: number
  /** The name of a colour, see `palette.ts`. */
  readonly color: string
  /** Shown when pointed at. */
  readonly title: string
}

export interface Row {
  readonly name: Part
  readonly marks: readonly Mark[]
  /** Cells behind the track. */
  readonly cells: readonly Part[]
  readonly isTotal?: boolean
  /** Marks that follow one another are told apart by a line. */
  readonly isDivided?: boolean
}

export interface TrackTable {
  readonly caption: Part
  /** Heads of the columns: of the names, then of the cells behind the tracks. */
  readonly heads?: readonly [string, ...string[]]
  readonly axis?: Axis
  readonly rows: readonly Row[]
}

/** The marks over lines at the ticks. What it shows stands in the cells beside it. */
export function track(marks: readonly Mark[], axis?: Axis, isDivided = false): Markup {
  const lines = (axis?.ticks ?? []).map(
    ({ at }) => html`<line class="grid" x1="${percent(at)}" x2="${percent(at)}" y1="0" y2="100%"/>`,
  )
  const name = isDivided ? 'track divided' : 'track'
  return html`<svg class="${name}" aria-hidden="true">${lines}${marks.map(markup)}</svg>`
}

/** What was too short to be seen is a line. */
const widthMin = 0.002

function markup({ from, to, color, title }: Mark): Markup {
  const width = Math.max(to - from, widthMin)
  return html`<rect class="mark ${color}" x="${percent(from)}" width="${percent(width)}" \
y="22%" height="56%"><title>${title}</title></rect>`
}

/** Labels of an axis; every other one gives way where there is little room. */
function axisLabels({ ticks }: Axis): Markup {
  const labels = ticks.map(({ at, text }, i) => {
    const anchor = at < 0.04 ? 'start' : at > 0.9 ? 'end' : 'middle'
    const rank = i % 2 === 0 ? 'major' : 'minor'
    return html`<text class="${rank}" x="${percent(at)}" y="75%" \
text-anchor="${anchor}">${text}</text>`
  })
  return html`<svg class="ticks" aria-hidden="true">${labels}</svg>`
}

/** A table in which each row has a track. */
export function trackTable({ caption, heads, axis, rows }: TrackTable): Markup {
  return html`<table class="tracks" role="table"><caption>${caption}</caption>
${heads === undefined ? nothing : headMarkup(heads, axis)}
<tbody role="rowgroup">${rows.map((row) => rowMarkup(row, axis))}</tbody></table>
`
}

function headMarkup([first, ...others]: readonly [string, ...string[]], axis?: Axis): Markup {
  return html`<thead role="rowgroup"><tr role="row">\
<th role="columnheader" scope="col">${first}</th>\
<td role="cell" class="plot">${axis === undefined ? nothing : axisLabels(axis)}</td>${others.map(
    (head) => html`<th role="columnheader" scope="col" class="number">${head}</th>`,
  )}</tr></thead>`
}

function rowMarkup(row: Row, axis?: Axis): Markup {
  const { name, marks, cells, isTotal = false, isDivided = false } = row
  return html`<tr role="row"${isTotal ? html` class="total"` : nothing}>\
<th role="rowheader" scope="row">${name}</th>\
<td role="cell" class="plot">${track(marks, axis, isDivided)}</td>${cells.map(
    (cell) => html`<td role="cell" class="number">${cell}</td>`,
  )}</tr>
`
}
