/**
 * Whether a cap on bandwidth is held, and reached: page bytes of round 1 per second of round 1.
 *
 * A cap above what the machine carries cannot be reached; the raw stream of the same run says how
 * much that is.
 *
 * @module
 */
import { GIB, MIB } from '@godwit/core'
import type { Benchmark } from './benchmark.ts'
import { migrate } from './process.ts'
import { measureRawStream } from './raw-stream.ts'
import type { Case } from './result.ts'
import { toCase, toResult } from './result.ts'

/** Random, so that every page takes its bytes. */
const guest = 'idle,content=0/0/0/100'
const caps = [
  { rate: '10Mbit', bytesPerSecond: 10e6 / 8 },
  { rate: '100Mbit', bytesPerSecond: 100e6 / 8 },
  { rate: '1Gbit', bytesPerSecond: 1e9 / 8 },
  { rate: '5Gbit', bytesPerSecond: 5e9 / 8 },
  { rate: '10Gbit', bytesPerSecond: 10e9 / 8 },
] as const
const guestPageBytes = 4096

export const pacing: Benchmark = {
  name: 'pacing',
  summary: 'caps on bandwidth from 10 Mbit/s to 10 Gbit/s: what round 1 makes of them',
  async run({ quick, repeat, godwit, say }) {
    const seconds = quick ? 0.25 : 2
    const raw: number[] = []
    const rates = caps.map((): number[] => [])
    for (let i = 0; i < repeat; i++) {
      raw.push(await measureRawStream(quick ? 512 * MIB : 4 * GIB))
      for (const [index, { rate, bytesPerSecond }] of caps.entries()) {
        say(`pacing, ${rate}: ${i + 1} of ${repeat}`)
        const pages = Math.ceil((bytesPerSecond * seconds) / guestPageBytes)
        const memory = ['--memory', String(pages * guestPageBytes)]
        const options = [...memory, '--max-bandwidth', rate, '--warmup', '100ms']
        const { bytes, ms } = (await migrate(godwit, guest, options)).source.rounds[0]!
        rates[index]!.push(bytes / (ms / 1e3))
      }
    }
    return toResult('pacing', [
      toCase({ name: 'raw Node stream', metric: 'one TCP stream', unit: 'bytes/s', values: raw }),
      ...caps.flatMap(({ rate, bytesPerSecond }, index) =>
        capCases(`cap ${rate}/s`, bytesPerSecond, rates[index]!),
      ),
    ])
  },
}

function capCases(name: string, cap: number, rates: readonly number[]): Case[] {
  return [
    toCase({
      name,
      metric: 'page bytes',
      unit: 'bytes/s',
      values: rates,
      against: { name: 'the cap', median: cap },
    }),
    toCase({
      name,
      metric: 'off by, either way',
      unit: 'ratio',
      values: rates.map((rate) => Math.abs(rate / cap - 1)),
      bar: { op: '<=', value: 0.05 },
    }),
  ]
}
