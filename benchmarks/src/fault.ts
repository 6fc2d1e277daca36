/**
 * How long a thread of a guest that moved by post-copy waits for a page that it touches, over
 * loopback TCP to another process: from its touch until it goes on.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import type { Benchmark } from './benchmark.ts'
import { migrate } from './process.ts'
import type { Case } from './result.ts'
import { pairedWith, toCase, toResult } from './result.ts'
import { measureRoundTrip } from './round-trip.ts'

const bars = { p50Us: 90, p99Us: 300, tripRatio: 1.6 }

export const fault: Benchmark = {
  name: 'fault',
  summary: 'demand faults of a guest that moved by post-copy, beside a bare round trip of 4 KiB',
  async run({ quick, repeat, godwit, say }) {
    const [wss, memory] = quick ? ['8MiB', '32MiB'] : ['64MiB', '96MiB']
    // One page after the other, as quickly as they come; nothing is pushed meanwhile.
    const guest = `writer,wss=${wss},rate=1000000,style=few`
    const options = ['--memory', memory, '--mode', 'post-copy', '--fetch', 'demand']
    const trips: number[] = []
    const reports: Report[] = []
    for (let i = 0; i < repeat; i++) {
      say(`fault: ${i + 1} of ${repeat}`)
      trips.push(await measureRoundTrip())
      reports.push((await migrate(godwit, guest, options)).source)
    }
    return toResult('fault', casesOf(reports, trips))
  },
}

/** @param trips - microseconds, one for each report */
function casesOf(reports: readonly Report[], trips: readonly number[]): Case[] {
  const waits = (read: (faults: NonNullable<Report['faults']>) => number): number[] =>
    reports.map(({ faults }) => read(faults!))
  const half = {
    name: 'gate',
    metric: 'wait, p50',
    unit: 'us',
    values: waits((f) => f.p50Us),
  } as const
  return [
    toCase({ name: 'bare TCP', metric: 'round trip, p50', unit: 'us', values: trips }),
    toCase({ ...half, bar: { op: '<=', value: bars.p50Us } }),
    toCase({
      ...half,
      against: pairedWith('bare TCP', trips),
      bar: { op: '<=', value: bars.tripRatio },
    }),
    toCase({
      name: 'gate',
      metric: 'wait, p99',
      unit: 'us',
      values: waits((f) => f.p99Us),
      bar: { op: '<=', value: bars.p99Us },
    }),
  ]
}
