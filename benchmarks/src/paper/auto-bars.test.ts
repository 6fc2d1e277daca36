import { MIB } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { autoCases } from './auto-bars.ts'
import type { Cell } from './cell.ts'
import { nameOf } from './cell.ts'
import type { Run } from './journal.ts'
import type { Measures } from './measure.ts'

const size = { memoryBytes: 64 * MIB, linkRate: 125e6, competingRate: 0 }
const cells = ['qemu', 'xen', 'auto'].map(
  (way): Cell => ({ load: 'kcs', way, guest: 'kcs', options: [], ...size }),
)

type Facts = readonly [totalMs: number, downtimeMs: number, stopRule?: string] | 'failed'

function runsOf(ways: Readonly<Record<string, readonly Facts[]>>): Run[] {
  return cells.flatMap((cell) =>
    (ways[cell.way] ?? []).map((facts, repeat): Run => {
      if (facts === 'failed') return { cell: nameOf(cell), repeat, failure: 'no end' }
      const [totalMs, downtimeMs, stopRule = 'downtime'] = facts
      return { cell: nameOf(cell), repeat, measures: { totalMs, downtimeMs, stopRule } as Measures }
    }),
  )
}

function judge(ways: Readonly<Record<string, readonly Facts[]>>) {
  return autoCases(cells, runsOf(ways)).map(({ metric, values, median, ratio, against, pass }) => ({
    metric,
    value: values.length === 0 ? 'not measured' : (ratio ?? median),
    against: against?.name,
    pass,
  }))
}

const total = 'total time (TT) against the best preset'
const endless = 'runs without an end'
const within = 'pauses of at most 300 ms, where rounds got there'

describe('auto against the best', () => {
  it('is compared pair by pair with the quickest', () => {
    const cases = judge({
      qemu: [
        [1000, 200],
        [2000, 200],
        [3000, 200],
      ],
      xen: [
        [1500, 20],
        [2500, 20],
        [3500, 20],
      ],
      auto: [
        [1100, 100],
        [2100, 100],
        [3900, 100],
      ],
    })
    expect(cases).toEqual([
      { metric: total, value: 1.1, against: 'qemu', pass: true },
      { metric: endless, value: 0, against: undefined, pass: true },
      { metric: within, value: 1, against: undefined, pass: true },
    ])
  })

  it('more than a tenth longer is too long', () => {
    const [first] = judge({ qemu: [[1000, 200]], auto: [[1101, 100]] })
    expect(first).toMatchObject({ metric: total, pass: false })
  })

  it('one that pauses for too long, or has failed, is no best', () => {
    const ways = { qemu: [[1000, 301]], xen: [[2000, 300]], auto: [[2100, 100]] } as const
    expect(judge(ways)[0]).toMatchObject({ against: 'xen', value: 1.05 })
    // Where auto itself pauses for longer, others may.
    expect(judge({ ...ways, auto: [[2100, 400, 'wws']] })[0]).toMatchObject({ against: 'qemu' })
    const failing = { ...ways, xen: [[2000, 300], 'failed'] } as const
    expect(judge(failing)[0]).toMatchObject({ value: 'not measured', pass: false })
  })
})

it('a run without an end is one too many', () => {
  const [, lost, share] = judge({ qemu: [[1000, 10]], auto: [[1000, 10], 'failed'] })
  expect([lost, share]).toMatchObject([
    { value: 1, pass: false },
    { value: 1, pass: true },
  ])
})

it('19 of 20 pauses are to be short enough, of rounds that got there', () => {
  const short = (count: number): Facts[] => Array.from({ length: count }, () => [1000, 300])
  const long: Facts = [1000, 301]
  expect(judge({ auto: [...short(19), long] }).at(-1)).toMatchObject({ value: 0.95, pass: true })
  expect(judge({ auto: [...short(18), long] }).at(-1)).toMatchObject({
    metric: within,
    pass: false,
  })
  const stalled: Facts = [1000, 900, 'stall']
  expect(judge({ auto: [...short(1), stalled] }).at(-1)).toMatchObject({ value: 1, pass: true })
  expect(judge({ auto: [stalled] }).at(-1)).toMatchObject({ value: 'not measured', pass: false })
})

it('where auto failed each time, or was measured alone or not at all, bars are missed', () => {
  const none = { value: 'not measured', against: undefined, pass: false }
  expect(judge({ qemu: [[1000, 10]], auto: ['failed'] })).toEqual([
    { metric: total, ...none },
    { metric: endless, value: 1, against: undefined, pass: false },
    { metric: within, ...none },
  ])
  expect(judge({ auto: [[1000, 10]] })[0]).toEqual({ metric: total, ...none })
  const bars = judge({})
  expect(bars.map(({ metric, pass }) => [metric, pass])).toEqual([
    [total, false],
    [endless, false],
    [within, false],
  ])
})

it('without auto there is nothing to judge', () => {
  expect(autoCases(cells.slice(0, 2), runsOf({ qemu: [[1, 1]] }))).toEqual([])
  expect(autoCases(cells.slice(0, 2), [])).toEqual([])
})

it('has not ended every time where a try was made again', () => {
  const run = { cell: nameOf(cells[2]!), repeat: 0 }
  const again = { totalMs: 1, downtimeMs: 1, stopRule: 'downtime' } as Measures
  const cases = autoCases(cells, [{ ...run, measures: again, earlierFailure: 'no end' }])
  const [lost] = cases.filter(({ metric }) => metric === endless)
  expect(lost).toMatchObject({ median: 1, pass: false })
})
