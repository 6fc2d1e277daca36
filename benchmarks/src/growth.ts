/**
 * Does a larger guest cost more per gigabyte? Round 1 and memory overhead at several sizes, the
 * largest of which has several regions.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import { GIB, MIB, PAGE_BYTES_DEFAULT } from '@godwit/core'
import type { Benchmark } from './benchmark.ts'
import { migrate } from './process.ts'
import type { Case } from './result.ts'
import { toCase, toResult } from './result.ts'

interface Samples {
  readonly size: number
  readonly reports: Report[]
}

export const growth: Benchmark = {
  name: 'growth',
  summary: 'idle guests of 1, 4 and 8 GiB: round 1 per GiB, memory overhead',
  async run({ quick, repeat, godwit, say }) {
    const unit = quick ? 64 * MIB : GIB
    const all = [1, 4, 8].map((size): Samples => ({ size, reports: [] }))
    for (let i = 0; i < repeat; i++) {
      for (const { size, reports } of all) {
        say(`growth: ${i + 1} of ${repeat}, ${size} GiB`)
        const options = ['--memory', String(size * unit), '--warmup', '100ms']
        reports.push((await migrate(godwit, 'idle', options)).source)
      }
    }
    return toResult('growth', [
      ...roundCases(all),
      ...all.flatMap(({ size, reports }) => overheadCases(size, size * unit, reports)),
    ])
  },
}

/** Each size, and the slowest against the fastest. */
function roundCases(all: readonly Samples[]): Case[] {
  const name = 'round 1 per GiB'
  const cases = all.map(({ size, reports }) => {
    const values = reports.map((report) => report.rounds[0]!.ms / size)
    return toCase({ name, metric: `${size} GiB`, unit: 'ms', values })
  })
  const byTime = cases.toSorted((a, b) => a.median - b.median)
  const [fastest, slowest] = [byTime[0]!, byTime.at(-1)!]
  const worst = toCase({
    name,
    metric: `slowest, ${slowest.metric}`,
    unit: 'ms',
    values: slowest.values,
    against: { name: fastest.metric, median: fastest.median },
    bar: { op: '<=', value: 1.3 },
  })
  return [...cases, worst]
}

function overheadCases(size: number, memoryBytes: number, reports: readonly Report[]): Case[] {
  const value = 64 * MIB + (memoryBytes / PAGE_BYTES_DEFAULT) * 16
  return (['source', 'destination'] as const).map((side) =>
    toCase({
      name: `overhead, ${size} GiB`,
      metric: side,
      unit: 'bytes',
      values: reports.map((report) => report.overheadBytes![side]!),
      bar: { op: '<=', value },
    }),
  )
}
