/**
 * Figures with their units. Each keeps its exact value, and where in the report it stands:
 * `<data value="24.41" data-field="downtimeMs">24 ms</data>`.
 *
 * @module
 */
import { formatBytes, formatCount, formatDurationMs, formatRate } from '@godwit/core'
import type { Markup } from './markup.ts'
import { html } from './markup.ts'

/** How numbers of one kind are written. */
export type Format = (value: number) => string

/** Numbers and units stay in one line. */
function joined(text: string): string {
  return text.replace(/ us$/, ' \u00b5s').replaceAll(' ', '\u00a0')
}

/** Longest text of a number that is one. */
const lengthMax = 24

/** What is far from anything that can be measured is not spelt out. */
function bounded(format: Format): Format {
  return (value) => {
    const text = Number.isFinite(value) ? joined(format(value)) : String(value)
    return text.length > lengthMax ? value.toExponential(2) : text
  }
}

export const durationText: Format = bounded(formatDurationMs)
export const bytesText: Format = bounded(formatBytes)
export const rateText: Format = bounded(formatRate)
export const countText: Format = bounded(formatCount)

/** `0.742` -> `74.2 %`; what is small but there does not become 0. */
export function shareText(share: number): string {
  const percent = 100 * share
  if (percent === 0) return '0\u00a0%'
  if (percent > 0 && percent < 0.05) return '<\u00a00.1\u00a0%'
  return `${percent.toFixed(percent >= 1000 ? 0 : 1)}\u00a0%`
}

/**
 * A number as it is read.
 *
 * @param field - its path in the report, like `rounds.0.bytes`; none for one that was worked out
 */
export function figure(value: number, format: Format, field?: string): Markup {
  if (field === undefined) return html`<data value="${value}">${format(value)}</data>`
  return html`<data value="${value}" data-field="${field}">${format(value)}</data>`
}

/** By what the names of numbers end in: `limitMs`, `dirtyPages`, `bandwidth`. */
export function formatOf(name: string): Format {
  if (name.endsWith('Ms')) return durationText
  if (name.endsWith('Us')) return (us) => durationText(us / 1e3)
  if (name.endsWith('Bytes')) return bytesText
  if (/(?:bandwidth|Rate|PerSecond)$/.test(name)) return rateText
  return (value) => (Number.isInteger(value) ? countText(value) : String(value))
}

/** `dirtyPages` -> `dirty pages`, `limitMs` -> `limit`: the unit is at the number. */
export function wordsOf(name: string): string {
  const bare = name.replace(/(?:Ms|Us|Bytes)$/, '')
  const words = (bare === '' ? name : bare).replaceAll(/[A-Z]/g, (sign) => ` ${sign.toLowerCase()}`)
  return words.trim().replaceAll('_', ' ')
}
