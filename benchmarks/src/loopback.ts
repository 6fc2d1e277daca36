/**
 * Idle guests over loopback, beside what one TCP stream carries there right before and after them;
 * and what the agents need for themselves.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import { GIB, MIB, PAGE_BYTES_DEFAULT } from '@godwit/core'
import type { Benchmark, BenchOptions } from './benchmark.ts'
import { measureIperf3 } from './iperf3.ts'
import { migrate } from './process.ts'
import { measureRawStream } from './raw-stream.ts'
import type { Case, CaseFacts } from './result.ts'
import { pairedWith, toCase, toResult } from './result.ts'

const mixedGuest = 'idle,content=40/30/20/10'
const randomGuest = 'idle,content=0/0/0/100'

/** One value per repeat in each. */
interface Samples {
  readonly iperf3: number[]
  readonly raw: number[]
  readonly mixed: Report[]
  readonly random: Report[]
  readonly sha256: Report[]
}

export const loopback: Benchmark = {
  name: 'loopback',
  summary: 'idle guests of 1 GiB over loopback TCP, against a bare stream; memory overhead',
  async run(options) {
    const { quick, repeat, say } = options
    const memoryBytes = quick ? 128 * MIB : GIB
    const samples: Samples = { iperf3: [], raw: [], mixed: [], random: [], sha256: [] }
    for (let i = 0; i < repeat; i++) {
      say(`loopback: ${i + 1} of ${repeat}`)
      const peer = await measureIperf3(quick ? 1 : 3)
      if (peer !== undefined) samples.iperf3.push(peer)
      await measureOnce(options, memoryBytes, samples)
    }
    const { mixed, random, sha256 } = samples
    return toResult('loopback', [
      ...streams(samples),
      ...rates(memoryBytes, samples),
      ...times('godwit, idle', mixed),
      ...times('godwit, random', random),
      ...overheads('xxh3', memoryBytes, 16, mixed),
      ...overheads('sha256', memoryBytes, 48, sha256),
    ])
  },
}

/** The speed of a shared machine drifts, so the raw stream is measured on both sides. */
async function measureOnce(
  { quick, godwit }: BenchOptions,
  memoryBytes: number,
  { raw, mixed, random, sha256 }: Samples,
): Promise<void> {
  const streamBytes = quick ? 512 * MIB : 4 * GIB
  const options = ['--memory', String(memoryBytes), '--warmup', '300ms']
  const before = await measureRawStream(streamBytes)
  mixed.push((await migrate(godwit, mixedGuest, options)).source)
  random.push((await migrate(godwit, randomGuest, options)).source)
  const after = await measureRawStream(streamBytes)
  raw.push((before + after) / 2)
  sha256.push((await migrate(godwit, mixedGuest, [...options, '--hash', 'sha256'])).source)
}

function streams({ raw, iperf3 }: Samples): Case[] {
  const facts = { metric: 'one TCP stream', unit: 'bytes/s' } as const
  const cases = [toCase({ name: 'raw Node stream', values: raw, ...facts })]
  if (iperf3.length > 0) cases.push(toCase({ name: 'iperf3', values: iperf3, ...facts }))
  return cases
}

function rates(memoryBytes: number, { raw, mixed, random }: Samples): Case[] {
  const against = pairedWith('raw Node stream', raw)
  const guestRate = (report: Report): number => memoryBytes / (report.totalMs! / 1e3)
  const wireRate = (report: Report): number => report.wireBytes / (report.totalMs! / 1e3)
  const guest = { metric: 'guest bytes', unit: 'bytes/s', against } as const
  const wire = { metric: 'wire bytes', unit: 'bytes/s', against } as const
  const facts: CaseFacts[] = [
    {
      ...guest,
      name: 'godwit, idle',
      values: mixed.map(guestRate),
      bar: { op: '>=', value: 1 },
    },
    { ...wire, name: 'godwit, idle', values: mixed.map(wireRate) },
    {
      ...wire,
      name: 'godwit, random',
      values: random.map(wireRate),
      bar: { op: '>=', value: 0.7 },
    },
  ]
  return facts.map(toCase)
}

function times(name: string, reports: readonly Report[]): Case[] {
  return (['totalMs', 'downtimeMs', 'reservationMs', 'verifyMs'] as const).map((metric) =>
    toCase({ name, metric, unit: 'ms', values: reports.map((report) => report[metric]!) }),
  )
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
