/**
 * Axes: values as shares of a plot's width or height. Plots are drawn in percent of their room, so
 * one drawing fits every width, and its text keeps its size.
 *
 * @module
 */
import { scaleLinear, scaleLog } from 'd3-scale'
import type { Format } from './figure.ts'

export interface Tick {
  /** From 0 to 1. */
  readonly at: number
  readonly text: string
}

export interface Axis {
  /** From 0 to 1, whatever the value is. */
  at(value: number): number
  readonly ticks: readonly Tick[]
}

/** Of an axis as wide as the page; {@link narrow} ones have fewer. */
const wide = 5
export const narrow = 3

/** Rounded, without zeros that say nothing: `1.50 s` -> `1.5 s`. */
function tickText(value: number, format: Format): string {
  return value === 0
    ? '0'
    : format(value)
        .replace(/(\.\d*?)0+(?!\d)/, '$1')
        .replace(/\.(?!\d)/, '')
}

/** Between 0 and 1; 0 for what is no number. */
function clamp(share: number): number {
  return share > 0 ? Math.min(1, share) : 0
}

/**
 * From 0 to `max`.
 *
 * @param tickCount - about so many
 * @param isRound - ends at a round number instead
 */
export function linearAxis(
  max: number,
  format: Format,
  { tickCount = wide, isRound = false }: { tickCount?: number; isRound?: boolean } = {},
): Axis {
  const scale = scaleLinear().domain([0, max > 0 && Number.isFinite(max) ? max : 1])
  if (isRound) scale.nice(tickCount)
  return {
    at: (value) => clamp(scale(value)),
    ticks: scale.ticks(tickCount).map((value) => ({
      at: clamp(scale(value)),
      text: tickText(value, format),
    })),
  }
}

/** Powers of ten between which values are told apart. */
const [decadeMin, decadeMax] = [-3, 15]

/** From the power of ten below `min` to the one above `max`; 0 is at the start. */
export function logAxis(min: number, max: number, format: Format): Axis {
  const low = Math.max(decadeMin, Math.min(decadeMax - 1, Math.floor(Math.log10(min))))
  const high = Math.max(low + 1, Math.min(decadeMax, Math.ceil(Math.log10(max))))
  const scale = scaleLog().domain([10 ** low, 10 ** high])
  const step = Math.ceil((high - low + 1) / (narrow + 1))
  const decades = Array.from({ length: high - low + 1 }, (_, i) => low + i)
  return {
    at: (value) => (value > 0 ? clamp(scale(value)) : 0),
    ticks: decades
      .filter((decade) => (decade - low) % step === 0)
      .map((decade) => 10 ** decade)
      .map((value) => ({ at: clamp(scale(value)), text: tickText(value, format) })),
  }
}

/** An attribute's value: `12.5%`. */
export function percent(share: number): string {
  return `${Math.round(1e4 * clamp(share)) / 100}%`
}
