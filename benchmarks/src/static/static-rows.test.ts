import { expect, it } from 'vitest'
import type { StaticFigures } from './static-migration.ts'
import { staticRows } from './static-rows.ts'

function figures(wireBytes: number, totalMs: number): StaticFigures {
  const times = { totalMs, fromReservationMs: totalMs + 100, cpuSeconds: 1 }
  return { ...times, wireBytes, report: {} as StaticFigures['report'] }
}

it('compares pair by pair, and judges what has a bar', () => {
  const samples = new Map([
    ['one', [figures(100, 300), figures(1000, 900)]],
    ['other', [figures(30, 200), figures(400, 500)]],
  ])
  const rows = staticRows('t', samples, { other: { wireBytes: 0.35, fromReservationMs: 0.6 } })
  const row = (name: string, metric: string) =>
    rows.find((one) => one.name === name && one.metric.startsWith(metric))
  expect(row('t, one', 'wire bytes')?.ratio).toBeUndefined()
  expect(row('t, other', 'wire bytes')?.ratio).toBeCloseTo(0.35)
  expect(row('t, other', 'wire bytes')?.pass).toBe(true)
  expect(row('t, other', 'total,')?.ratio).toBeCloseTo(0.675)
  expect(row('t, other', 'total,')?.pass).toBe(false)
  expect(row('t, other', 'totalMs')).toMatchObject({ median: 350 })
  expect(row('t, other', 'totalMs')?.pass).toBeUndefined()
})
