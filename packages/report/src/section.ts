/**
 * Parts of a page: headings, tables of facts, keys of colours.
 *
 * @module
 */
import type { Markup, Part } from './markup.ts'
import { Markup as Raw, html, nothing } from './markup.ts'
import type { Mark } from './track.ts'

/** Of headings: 2 where the page is about one run, 3 where it is about several. */
export type Level = 2 | 3

/** @param note - what has to be known to read it, below it */
export function section(level: Level, title: string, body: Part, note: Part = nothing): Markup {
  const [open, close] = [new Raw(`<h${level}>`), new Raw(`</h${level}>`)]
  const below = note === nothing ? nothing : html`<p class="note">${note}</p>`
  return html`<section>${open}${title}${close}
${body}${below}</section>
`
}

export type Fact = readonly [name: Part, value: Part]

/** A caption for those who do not see that it says what the heading said. */
export function unseen(caption: string): Markup {
  return html`<span class="unseen">${caption}</span>`
}

/** Names and values. */
export function factTable(caption: Part, facts: readonly Fact[]): Markup {
  if (facts.length === 0) return nothing
  return html`<table class="facts"><caption>${caption}</caption><tbody>${facts.map(
    ([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>
`,
  )}</tbody></table>
`
}

/** A square in a colour of `palette.ts`. */
export function swatch(color: string): Markup {
  return html`<span class="swatch ${color}" aria-hidden="true"></span>`
}

/** What the colours of a plot mean. */
export function key(entries: readonly (readonly [color: string, name: string])[]): Markup {
  return html`<p class="key">${entries.map(
    ([color, name]) => html`<span>${swatch(color)}${name}</span> `,
  )}</p>
`
}

/** Parts of a whole, side by side; what they are stands in a table near by. */
export interface Share {
  readonly color: string
  readonly title: string
  readonly value: number
}

/** Side by side, filling a track; the whole must not be 0. */
export function stacked(shares: readonly Share[]): readonly Mark[] {
  const total = shares.reduce((sum, { value }) => sum + value, 0)
  let before = 0
  return shares.map(({ color, title, value }) => {
    const from = before / total
    before += value
    return { from, to: before / total, color, title }
  })
}
