/**
 * The pause of a guest that writes, as the demo shows it.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import type { Benchmark } from './benchmark.ts'
import { migrate } from './process.ts'
import type { Case } from './result.ts'
import { toCase, toResult } from './result.ts'

export const downtime: Benchmark = {
  name: 'downtime',
  summary: 'the pause of 1 GiB guests that dirty 5000 and 25,000 pages/s, over loopback TCP',
  async run({ quick, repeat, godwit, say }) {
    const memory = quick ? '128MiB' : '1GiB'
    const wss = quick ? '16MiB' : '100MiB'
    const cases: Case[] = []
    for (const { rate, barMs, options } of guests) {
      const guest = `writer,wss=${wss},rate=${rate},style=few`
      const reports: Report[] = []
      for (let i = 0; i < repeat; i++) {
        say(`downtime, ${rate} pages/s: ${i + 1} of ${repeat}`)
        reports.push((await migrate(godwit, guest, ['--memory', memory, ...options])).source)
      }
      cases.push(...guestCases(`writer, ${rate} pages/s`, barMs, reports))
    }
    return toResult('downtime', cases)
  },
}

/** As the demo has it, and a guest that dirties 100 MB/s with a limit of its own. */
const guests = [
  { rate: 5000, barMs: 100, options: [] },
  { rate: 25_000, barMs: 20, options: ['--stop', 'downtime=20ms'] },
]

function guestCases(name: string, barMs: number, reports: readonly Report[]): Case[] {
  const times = (metric: string, read: (report: Report) => number): Case =>
    toCase({ name, metric, unit: 'ms', values: reports.map(read) })
  const values = reports.map((report) => report.downtimeMs!)
  return [
    toCase({ name, metric: 'downtimeMs', unit: 'ms', values, bar: { op: '<=', value: barMs } }),
    times('pauseMs', (report) => report.downtime!.pauseMs),
    times('pagesMs', (report) => report.downtime!.pagesMs),
    times('stateMs', (report) => report.downtime!.stateMs),
    times('resumeMs', (report) => report.downtime!.resumeMs),
    times('totalMs', (report) => report.totalMs!),
  ]
}
