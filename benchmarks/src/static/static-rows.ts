/**
 * What became of the ways to move a guest: each against the first of them, pair by pair.
 *
 * @module
 */
import type { StaticReport } from '@godwit/core'
import type { Case, Unit } from '../result.ts'
import { pairedWith, toCase } from '../result.ts'
import type { Samples } from './ways.ts'

type Figure = 'wireBytes' | 'fromReservationMs' | 'totalMs' | 'cpuSeconds'

const figures = [
  ['wireBytes', 'wire bytes, both ways', 'bytes'],
  ['fromReservationMs', 'total, from the reservation on', 'ms'],
  ['totalMs', 'total time, with what static pages take before', 'ms'],
  ['cpuSeconds', 'CPU of both sides', 's'],
] as const satisfies readonly (readonly [Figure, string, Unit])[]

const counts = [
  ['heldEntries', 'entries that the destination holds'],
  ['pages', 'pages sent by their numbers'],
  ['repairedPages', 'pages asked for once more'],
] as const satisfies readonly (readonly [keyof StaticReport, string])[]

/** Largest ratios to the first way, by the names of others. */
export type WayBars = Readonly<Record<string, Partial<Readonly<Record<Figure, number>>>>>

/** Rows of each way; the first is what the others are compared with. */
export function staticRows(title: string, samples: Samples, bars: WayBars): Case[] {
  const [first, ...others] = [...samples]
  const rows = figures.map(([key, metric, unit]) => {
    const [way, all] = first!
    return toCase({ name: `${title}, ${way}`, metric, unit, values: all.map((one) => one[key]) })
  })
  for (const [way, all] of others) {
    const name = `${title}, ${way}`
    for (const [i, [key, metric, unit]] of figures.entries()) {
      const against = pairedWith(first![0], rows[i]!.values)
      const facts = { name, metric, unit, values: all.map((one) => one[key]), against }
      const value = bars[way]?.[key]
      rows.push(toCase(value === undefined ? facts : { ...facts, bar: { op: '<=', value } }))
    }
    for (const [key, metric] of counts) {
      const values = all.map(({ report }) => report.static![key] ?? 0)
      rows.push(toCase({ name, metric, unit: 'count', values }))
    }
  }
  return rows
}
