import { expect, it } from 'vitest'
import type { StaticFigures } from './static-migration.ts'
import { staticRows } from './static-rows.ts'

function figures(wireBytes: number, totalMs: number): StaticFigures {
  const times = { totalMs, fromReservationMs: totalMs + 100, cpuSeconds: 1 }
  const report = { static: { entries: 9, heldEntries: 8, pages: 7, ms: 1 } }
  return { ...times, wireBytes, report: report as StaticFigures['report'] }
}

it('compares pair by pair, and judges what has a bar', () => {
  const samples = new Map([
    ['one', [figures(100, 300), figures(1000, 900)]],
    ['other', [figures(30, 200), figures(400, 500)]],
  ])
  const rows = staticRows('t', samples, { other: { wireBytes: 0.35, totalMs: 0.6 } })
  const row = (name: string, metric: string) =>
    rows.find((one) => one.name === name && one.metric.startsWith(metric))
  expect(row('t, one', 'wire bytes')?.ratio).toBeUndefined()
  expect(row('t, other', 'wire bytes')?.ratio).toBeCloseTo(0.35)
  expect(row('t, other', 'wire bytes')?.pass).toBe(true)
  expect(row('t, other', 'total time')?.ratio).toBeCloseTo(0.611)
  expect(row('t, other', 'total time')?.pass).toBe(false)
  expect(row('t, other', 'total, from')).toMatchObject({ median: 450 })
  expect(row('t, other', 'total, from')?.pass).toBeUndefined()
  expect(row('t, other', 'pages sent')).toMatchObject({ median: 7 })
  expect(row('t, other', 'pages asked')).toMatchObject({ median: 0 })
  expect(row('t, one', 'pages')).toBeUndefined()
})
