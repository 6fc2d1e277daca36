/**
 * How long a thread of a guest that moved by post-copy waits for a page that it touches, over
 * loopback TCP to another process: from its touch until it goes on. Nothing is pushed meanwhile.
 *
 * @module
 */
import { probeUserfault } from '@godwit/linux'
import type { Benchmark } from './benchmark.ts'
import { measurePlainFaults } from './plain-fault.ts'
import { loopback, migrate } from './process.ts'
import type { Case } from './result.ts'
import { pairedWith, toCase, toResult } from './result.ts'
import type { RoundTrip } from './round-trip.ts'
import { measureRoundTrip } from './round-trip.ts'

const bars = {
  gate: { p50Us: 90, p99Us: 300 },
  uffd: { p50Us: 100, p99Us: 500 },
  tripRatio: 1.6,
} as const

/** As long as it takes to wait for every page, even if each takes twice as long as it should. */
const gateRunFor = '3s'

interface Waits {
  readonly p50Us: number
  readonly p99Us: number
}

export const fault: Benchmark = {
  name: 'fault',
  summary: 'demand faults of a guest that moved by post-copy, beside a bare round trip of 4 KiB',
  async run({ quick, repeat, godwit, say }) {
    const mebibytes = quick ? 8 : 64
    const probe = await probeUserfault()
    if (!probe.ok) say(`fault: without uffd: ${probe.reason}`)
    const trips: RoundTrip[] = []
    const waits: Record<'gate' | 'uffd', Waits[]> = { gate: [], uffd: [] }
    for (let i = 0; i < repeat; i++) {
      say(`fault: ${i + 1} of ${repeat}`)
      trips.push(await measureRoundTrip())
      // One page after the other, as quickly as they come.
      const guest = `writer,wss=${mebibytes}MiB,rate=1000000,style=few`
      const memory = ['--memory', `${mebibytes + 32}MiB`]
      const options = [...memory, '--mode', 'post-copy', '--fetch', 'demand']
      const { source } = await migrate(godwit, guest, options, loopback, gateRunFor)
      waits.gate.push(source.faults!)
      if (probe.ok) waits.uffd.push(await measurePlainFaults(mebibytes * 256))
    }
    const bare = (metric: string, values: number[]): Case => {
      return toCase({ name: 'bare TCP', metric: `round trip, ${metric}`, unit: 'us', values })
    }
    const [halves, most] = [trips.map((trip) => trip.p50Us), trips.map((trip) => trip.p99Us)]
    const cases = [bare('p50', halves), bare('p99', most), ...casesOf('gate', waits.gate, trips)]
    if (probe.ok) cases.push(...casesOf('uffd', waits.uffd, trips))
    return toResult('fault', cases)
  },
}

/** @param trips - one for each of the waits */
function casesOf(
  name: 'gate' | 'uffd',
  waits: readonly Waits[],
  trips: readonly RoundTrip[],
): Case[] {
  const half = {
    name,
    metric: 'wait, p50',
    unit: 'us',
    values: waits.map((one) => one.p50Us),
  } as const
  const most = {
    name,
    metric: 'wait, p99',
    unit: 'us',
    values: waits.map((one) => one.p99Us),
  } as const
  const halfTrip = pairedWith(
    'bare TCP',
    trips.map((trip) => trip.p50Us),
  )
  const mostTrip = pairedWith(
    'bare TCP',
    trips.map((trip) => trip.p99Us),
  )
  const { p50Us, p99Us } = bars[name]
  return [
    toCase({ ...half, bar: { op: '<=', value: p50Us } }),
    toCase({ ...half, against: halfTrip, bar: { op: '<=', value: bars.tripRatio } }),
    toCase({ ...most, bar: { op: '<=', value: p99Us } }),
    toCase({ ...most, against: mostTrip }),
  ]
}
