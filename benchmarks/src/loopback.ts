/**
 * An idle guest over loopback, beside what one TCP stream carries there in the same run; and what
 * the agents need for themselves.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import { GIB, MIB, PAGE_BYTES_DEFAULT } from '@godwit/core'
import { median } from 'simple-statistics'
import type { Benchmark } from './benchmark.ts'
import { measureIperf3 } from './iperf3.ts'
import { migrate } from './process.ts'
import { measureRawStream } from './raw-stream.ts'
import type { Case } from './result.ts'
import { toCase, toResult } from './result.ts'

const guest = 'idle,content=40/30/20/10'

export const loopback: Benchmark = {
  name: 'loopback',
  summary: 'an idle guest of 1 GiB over loopback TCP, against a bare stream; memory overhead',
  async run({ quick, repeat, godwit, say }) {
    const memoryBytes = quick ? 128 * MIB : GIB
    const streamBytes = quick ? 512 * MIB : 4 * GIB
    const raw: number[] = []
    const iperf3: number[] = []
    const runs: { source: Report; destination: Report }[] = []
    const sha256: Report[] = []
    for (let i = 0; i < repeat; i++) {
      say(`loopback: ${i + 1} of ${repeat}`)
      raw.push(await measureRawStream(streamBytes))
      const peer = await measureIperf3(quick ? 1 : 3)
      if (peer !== undefined) iperf3.push(peer)
      const options = ['--memory', String(memoryBytes), '--warmup', '300ms']
      runs.push(await migrate(godwit, guest, options))
      sha256.push((await migrate(godwit, guest, [...options, '--hash', 'sha256'])).source)
    }
    return toResult('loopback', [
      ...streams(raw, iperf3),
      ...migrations(
        memoryBytes,
        raw,
        runs.map((run) => run.source),
      ),
      ...overheads(
        'xxh3',
        memoryBytes,
        16,
        runs.map((run) => run.source),
      ),
      ...overheads('sha256', memoryBytes, 48, sha256),
    ])
  },
}

function streams(raw: readonly number[], iperf3: readonly number[]): Case[] {
  const facts = { metric: 'one TCP stream', unit: 'bytes/s' } as const
  const cases = [toCase({ name: 'raw Node stream', values: raw, ...facts })]
  if (iperf3.length > 0) cases.push(toCase({ name: 'iperf3', values: iperf3, ...facts }))
  return cases
}

function migrations(
  memoryBytes: number,
  raw: readonly number[],
  reports: readonly Report[],
): Case[] {
  if (!reports.every((report) => report.memory?.equal && report.guestProof?.continuous)) {
    throw new Error('a migration was not right; its figures mean nothing')
  }
  const against = { name: 'raw Node stream', median: median([...raw]) }
  return [
    toCase({
      name: 'godwit, idle',
      metric: 'guest bytes',
      unit: 'bytes/s',
      values: reports.map((report) => memoryBytes / (report.totalMs! / 1e3)),
      against,
      bar: { op: '>=', value: 0.35 },
    }),
    toCase({
      name: 'godwit, idle',
      metric: 'wire bytes',
      unit: 'bytes/s',
      values: reports.map((report) => report.wireBytes / (report.totalMs! / 1e3)),
      against,
    }),
    time('totalMs', reports),
    time('downtimeMs', reports),
    time('reservationMs', reports),
    time('verifyMs', reports),
  ]
}

function time(
  metric: 'totalMs' | 'downtimeMs' | 'reservationMs' | 'verifyMs',
  reports: readonly Report[],
): Case {
  return toCase({
    name: 'godwit, idle',
    metric,
    unit: 'ms',
    values: reports.map((report) => report[metric]!),
  })
}

function overheads(
  hash: string,
  memoryBytes: number,
  bytesPerPage: number,
  reports: readonly Report[],
): Case[] {
  const value = 64 * MIB + (memoryBytes / PAGE_BYTES_DEFAULT) * bytesPerPage
  return (['source', 'destination'] as const).map((side) =>
    toCase({
      name: `overhead, ${hash}`,
      metric: side,
      unit: 'bytes',
      values: reports.map((report) => report.overheadBytes![side]!),
      bar: { op: '<=', value },
    }),
  )
}
