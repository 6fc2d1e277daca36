/**
 * A sample of the fault matrix: one cell of every fault, each between two processes. All of it is
 * `pnpm run faults --all`, and part of `test:long`.
 */
import { afterAll, describe, expect, it } from 'vitest'
import { MODES, nameOf, parseCell } from './cell.ts'
import type { Cell } from './cell.ts'
import type { Evidence } from './judge.ts'
import { judge } from './judge.ts'
import { overlap, recordOf } from './journal.ts'
import { allCells, formatCounts, playAll, sampleOf, shuffled } from './matrix.ts'
import { removeFiles } from './agent-process.ts'

const isLong = process.env['GODWIT_LONG'] !== undefined
const seed = 20_251_121
/** Those that wait for a peer's silence take as long as that: a few are enough for every day. */
const everyDay = ['cut-one', 'lane-dies', 'kill-source', 'fence-destination', 'restart-source']

afterAll(removeFiles)

function chosen(cells: readonly Cell[]): readonly Cell[] {
  if (isLong) return shuffled(cells, seed)
  return sampleOf(cells, seed).filter(({ fault }) => everyDay.includes(fault.name))
}

describe('a migration that something befalls', () => {
  const timeout = isLong ? 3_600_000 : 120_000
  it('ends as it may, with one owner and the memory that it must have', { timeout }, async () => {
    const cells = await allCells(isLong ? MODES : ['pre-copy', 'post-copy'])
    const result = await playAll(chosen(cells), isLong ? {} : { stages: 2 })
    console.log(`seed ${seed}: ${formatCounts(result)}`)
    expect(result.failures).toEqual([])
    const played = [...result.counts.values()].reduce((sum, count) => sum + count, 0)
    expect(played).toBeGreaterThanOrEqual(isLong ? 1000 : everyDay.length)
    expect(result.counts.get('missed')!).toBeLessThan(played / 4)
  })
})

describe('the judge', () => {
  const runs = (from: number, to: number) => ({ fromNs: BigInt(from), toNs: BigInt(to) })
  const moved: Evidence = {
    fault: { name: 'none', isAt: () => false, strike: () => true },
    wasStruck: true,
    wasReady: true,
    wasCommitted: true,
    code: 0,
    stderr: '',
    report: {
      schema: 'godwit.report/1',
      role: 'source',
      outcome: 'completed',
      stages: [],
      wireBytes: 0,
      rounds: [],
      memory: { sourceDigest: '', destinationDigest: '', equal: true },
      guestProof: { stepsBefore: 1, stepsAfter: 1, continuous: true },
    },
    source: { spans: [runs(0, 10)], isRight: undefined },
    destination: { spans: [runs(11, 20)], isRight: true },
    dead: [],
  }
  const { report, destination, source } = moved
  const dying = { ...moved.fault, kills: 'destination' } as const
  const nowhere = { spans: [], isRight: undefined }

  it.each<[string, Partial<Evidence>, string]>([
    ['a guest that moved', {}, 'completed'],
    ['one that moved at last', { stderr: 'trying again\n' }, 'failed-then-moved'],
    ['two that run', { source: { ...source, spans: [runs(0, 12)] } }, 'DOUBLE'],
    ['one that ran here again', { source: { ...source, spans: [runs(30, 31)] } }, 'DOUBLE'],
    ['digests that differ', { report: { ...report!, memory: undefined! } }, 'WRONG'],
    ['memory that is wrong', { destination: { ...destination, isRight: false } }, 'WRONG'],
    ['memory that nobody saw', { destination: { ...destination, isRight: undefined } }, 'WRONG'],
    ['one that runs twice', { destination: { ...destination, spans: [] } }, 'WRONG'],
    ['no attempt that succeeds', { code: 1 }, 'WRONG'],
    ['doubt', { code: 4, fault: dying, destination: nowhere }, 'in-doubt'],
    ['doubt that could be dispelled', { code: 4, destination: nowhere }, 'WRONG'],
    ['a guest that died', { code: 8, fault: dying }, 'lost-with-host'],
    ['a guest that died of nothing', { code: 8 }, 'LOST'],
    ['doubt without a reason', { code: 4, fault: dying, wasReady: false }, 'WRONG'],
    ['a guest that is lost', { code: 6 }, 'LOST'],
    ['a source that dies', { code: undefined }, 'WRONG'],
    ['a fence that nobody set', { code: 7 }, 'WRONG'],
  ])('knows %s', (_name, evidence, outcome) => {
    expect(judge({ ...moved, ...evidence }).outcome).toBe(outcome)
  })

  it('reads when a guest may have run', () => {
    const lines = ['5 runs', '9 stands', '12 runs', '20 stands', '21 equal', '30 runs']
    const record = recordOf(lines, 40n)
    expect(record).toEqual({ spans: [runs(5, 9), runs(12, 20), runs(30, 40)], isRight: true })
    expect(overlap([record, { spans: [runs(9, 12)], isRight: undefined }])).toBe(false)
    expect(overlap([record, { spans: [runs(39, 50)], isRight: undefined }])).toBe(true)
  })
})

it('cells are called by their names', () => {
  const name = 'post-copy/cut-all/data0.written.Pages.2'
  expect(nameOf(parseCell(name)!)).toBe(name)
  expect(parseCell('post-copy/cut-all')).toBeUndefined()
  expect(parseCell('post-copy/no-fault/data0.written.Pages.2')).toBeUndefined()
})
