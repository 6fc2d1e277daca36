/**
 * Does a larger guest cost more per gigabyte? Round 1 and memory overhead at several sizes, and the
 * reservation beside a bare loop that touches as much memory.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import type { Report } from '@godwit/core'
import { GIB, MIB, PAGE_BYTES_DEFAULT } from '@godwit/core'
import { median } from 'simple-statistics'
import type { Benchmark } from './benchmark.ts'
import { migrate } from './process.ts'
import type { Case } from './result.ts'
import { toCase, toResult } from './result.ts'

/** Touches shared memory as the destination does, and prints the milliseconds. */
const touchLoop = `
  let left = Number(process.argv[1])
  const start = performance.now()
  while (left > 0) {
    const pages = Math.min(65536, left / 65536)
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
    const bytes = new Uint8Array(memory.buffer)
    for (let at = 0; at < bytes.length; at += 4096) bytes[at] = 0
    left -= bytes.length
  }
  console.log(performance.now() - start)
`

interface Sample {
  readonly report: Report
  readonly touchMs: number
}

export const growth: Benchmark = {
  name: 'growth',
  summary: 'idle guests of 1, 4 and 8 GiB: round 1 per GiB, overhead, reservation',
  async run({ quick, repeat, godwit, say }) {
    const unit = quick ? 64 * MIB : GIB
    const samples = new Map<number, Sample[]>([1, 4, 8].map((size) => [size, []]))
    for (let i = 0; i < repeat; i++) {
      for (const [size, all] of samples) {
        say(`growth: ${i + 1} of ${repeat}, ${size} GiB`)
        all.push(await measure(godwit, size * unit))
      }
    }
    const perUnit = (size: number): number[] =>
      samples.get(size)!.map(({ report }) => report.rounds[0]!.ms / size)
    const against = { name: '1 GiB', median: median(perUnit(1)) }
    return toResult('growth', [
      toCase({ name: 'round 1 per GiB', metric: '1 GiB', unit: 'ms', values: perUnit(1) }),
      ...[4, 8].map((size) =>
        toCase({
          name: 'round 1 per GiB',
          metric: `${size} GiB`,
          unit: 'ms',
          values: perUnit(size),
          against,
          bar: { op: '<=', value: 1.3 },
        }),
      ),
      ...[...samples].flatMap(([size, all]) => sizeCases(size, size * unit, all)),
    ])
  },
}

/** One migration, and right before it the loop that touches as much memory. */
async function measure(godwit: readonly string[], memoryBytes: number): Promise<Sample> {
  const touched = spawnSync(process.execPath, ['-e', touchLoop, String(memoryBytes)])
  const options = ['--memory', String(memoryBytes), '--warmup', '100ms']
  const { source } = await migrate(godwit, 'idle', options)
  if (!(source.memory?.equal && source.guestProof?.continuous)) {
    throw new Error('a migration was not right; its figures mean nothing')
  }
  return { report: source, touchMs: Number(String(touched.stdout)) }
}

function sizeCases(size: number, memoryBytes: number, samples: readonly Sample[]): Case[] {
  const overheadMax = 64 * MIB + (memoryBytes / PAGE_BYTES_DEFAULT) * 16
  const touches = samples.map(({ touchMs }) => touchMs)
  return [
    ...(['source', 'destination'] as const).map((side) =>
      toCase({
        name: `overhead, ${size} GiB`,
        metric: side,
        unit: 'bytes',
        values: samples.map(({ report }) => report.overheadBytes![side]!),
        bar: { op: '<=', value: overheadMax },
      }),
    ),
    toCase({ name: `bare touch, ${size} GiB`, metric: 'ms', unit: 'ms', values: touches }),
    toCase({
      name: `reservation, ${size} GiB`,
      metric: 'reservationMs',
      unit: 'ms',
      values: samples.map(({ report }) => report.reservationMs!),
      against: { name: 'bare touch', median: median(touches) },
      bar: { op: '<=', value: 1.5 },
    }),
  ]
}
