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

const tickCount = 5

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
  return Number.isFinite(share) ? Math.min(1, Math.max(0, share)) : 0
}

/** From 0 to `max`. @param isRound - ends at a round number instead */
export function linearAxis(max: number, format: Format, isRound = false): Axis {
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

/** Powers of ten, from the one below `min` to the one above `max`; 0 is at the start. */
export function logAxis(min: number, max: number, format: Format): Axis {
  const low = 10 ** Math.floor(Math.log10(Math.max(min, 1e-3)))
  const high = 10 ** Math.ceil(Math.log10(Math.max(max, 10 * low)))
  const scale = scaleLog().domain([low, high])
  const decades = Array.from({ length: Math.round(Math.log10(high / low)) + 1 }, (_, i) => i)
  const step = Math.ceil(decades.length / (tickCount + 1))
  return {
    at: (value) => (value > 0 ? clamp(scale(value)) : 0),
    ticks: decades
      .filter((decade) => decade % step === 0)
      .map((decade) => low * 10 ** decade)
      .map((value) => ({ at: clamp(scale(value)), text: tickText(value, format) })),
  }
}

/** An attribute's value: `12.5%`. */
export function percent(share: number): string {
  return `${Math.round(1e4 * clamp(share)) / 100}%`
}
