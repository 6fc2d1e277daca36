/**
 * Making room for a guest, beside a bare loop that touches as much memory.
 *
 * On a virtual machine the first store to a page may cost ten times as much when the host has to
 * find the page first, and what is freed goes back to the host within seconds. So a process that
 * touches more than is needed ends about as long before either side begins; and the guest is all
 * zeros, which take no memory at the source until the reservation is over. Both sides then find the
 * same memory free and warm, and alternate.
 *
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { GIB, MIB } from '@godwit/core'
import { measureBareTouch } from './bare-touch.ts'
import type { Benchmark } from './benchmark.ts'
import { migrate } from './process.ts'
import type { Case } from './result.ts'
import { pairedWith, toCase, toResult } from './result.ts'

const guest = 'idle,content=100/0/0/0'
/** What two `godwit` processes take from their start to the reservation, about. */
const startMs = 1000
/** Beyond what is measured, in units of memory: the host takes some back while that goes on. */
const spareUnits = 6

interface Samples {
  readonly bare: number[]
  readonly godwit: number[]
}

export const reservation: Benchmark = {
  name: 'reservation',
  summary: 'making room for guests of 1 and 8 GiB, against a bare loop that touches as much',
  async run({ quick, repeat, godwit, say }) {
    const unit = quick ? 64 * MIB : GIB
    const cases: Case[] = []
    for (const size of [1, 8]) {
      const memoryBytes = size * unit
      const warm = (): Promise<number> => measureBareTouch(memoryBytes + spareUnits * unit)
      const samples: Samples = { bare: [], godwit: [] }
      for (let i = 0; i < repeat; i++) {
        say(`reservation, ${size} GiB: ${i + 1} of ${repeat}`)
        await warm()
        await sleep(startMs)
        samples.bare.push(await measureBareTouch(memoryBytes))
        await warm()
        const options = ['--memory', String(memoryBytes), '--warmup', '100ms']
        samples.godwit.push((await migrate(godwit, guest, options)).source.reservationMs!)
      }
      cases.push(...sizeCases(`${size} GiB`, samples))
    }
    return toResult('reservation', cases)
  },
}

function sizeCases(metric: string, { bare, godwit }: Samples): Case[] {
  return [
    toCase({ name: 'bare touch', metric, unit: 'ms', values: bare }),
    toCase({
      name: 'reservation',
      metric,
      unit: 'ms',
      values: godwit,
      against: pairedWith('bare touch', bare),
      bar: { op: '<=', value: 1.5 },
    }),
  ]
}
