/**
 * The pause of a guest that writes, as the demo shows it.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import type { Benchmark } from './benchmark.ts'
import { migrate } from './process.ts'
import { toCase, toResult } from './result.ts'

export const downtime: Benchmark = {
  name: 'downtime',
  summary: 'the pause of a 1 GiB guest that dirties 5000 pages/s, over loopback TCP',
  async run({ quick, repeat, godwit, say }) {
    const guest = `writer,wss=${quick ? '16MiB' : '100MiB'},rate=5000,style=few`
    const memory = quick ? '128MiB' : '1GiB'
    const reports: Report[] = []
    for (let i = 0; i < repeat; i++) {
      say(`downtime: ${i + 1} of ${repeat}`)
      reports.push((await migrate(godwit, guest, ['--memory', memory])).source)
    }
    if (!reports.every((report) => report.memory?.equal && report.guestProof?.continuous)) {
      throw new Error('a migration was not right; its figures mean nothing')
    }
    const times = (metric: string, read: (report: Report) => number) =>
      toCase({ name: 'writer', metric, unit: 'ms', values: reports.map(read) })
    const values = reports.map((report) => report.downtimeMs!)
    return toResult('downtime', [
      toCase({
        name: 'writer',
        metric: 'downtimeMs',
        unit: 'ms',
        values,
        bar: { op: '<=', value: 100 },
      }),
      times('pauseMs', (report) => report.downtime!.pauseMs),
      times('pagesMs', (report) => report.downtime!.pagesMs),
      times('stateMs', (report) => report.downtime!.stateMs),
      times('resumeMs', (report) => report.downtime!.resumeMs),
      times('totalMs', (report) => report.totalMs!),
    ])
  },
}
