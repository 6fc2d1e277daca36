import { MIB } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import type { Cell } from './cell.ts'
import { nameOf } from './cell.ts'
import { chartsOf } from './charts.ts'
import type { Grid } from './grid.ts'
import type { Run } from './journal.ts'
import type { Measures } from './measure.ts'
import type { PaperResult } from './paper-result.ts'
import { toPaperResult } from './paper-result.ts'
import { formatPaper, paperMarkdown } from './paper-text.ts'

const cells = ['base', 'new'].map((way): Cell => {
  const size = { memoryBytes: 64 * MIB, linkRate: 125e6, competingRate: 0 }
  return { load: 'idle', way, guest: 'idle', options: [], ...size }
})

const pages = { raw: 10, zero: 5, unchanged: 0, same: 1, reference: 0, delta: 0 }

function measures(totalMs: number, transferredBytes: number): Measures {
  return {
    totalMs,
    downtimeMs: 20,
    pauseMs: 1,
    pagesMs: 17,
    stateMs: 1,
    resumeMs: 1,
    reservationMs: 5,
    verifyMs: 6,
    transferredBytes,
    resentBytes: 0,
    wireBytes: transferredBytes + 1000,
    sourceCpuSeconds: 0.5,
    destinationCpuSeconds: 0.25,
    sourceOverheadBytes: MIB,
    destinationOverheadBytes: 2 * MIB,
    rounds: 2,
    stopRule: 'downtime',
    pages: { ...pages, static: 0, compressed: 0 },
    savedBytes: { zero: 20_480, same: 4096 },
  }
}

const grid: Grid = {
  name: 'g',
  title: 'a grid',
  source: 'Somebody, 1999',
  base: 'base',
  cells: () => cells,
  claims: [
    {
      where: 'section 2',
      quote: 'a tenth less',
      way: 'new',
      against: 'base',
      metric: 'total',
      says: { kind: 'change', percent: -10 },
    },
  ],
  bars: [{ way: 'new', metric: 'total', bar: { op: '<=', value: 1.03 } }],
  figures: [{ name: 'f', title: 'F', metric: 'total', by: 'way', shows: () => true }],
  recommends: true,
}

/** `new` is 20 % slower in each pair, and its last run fails. */
function resultOf(picked = cells): PaperResult {
  const [base, other] = cells.map(nameOf)
  const pairs = [1000, 2000, 3000].flatMap((ms, repeat): Run[] => [
    { cell: base!, repeat, measures: measures(ms, 100 * MIB) },
    { cell: other!, repeat, measures: measures(1.2 * ms, 50 * MIB) },
  ])
  const alone: Run = { cell: base!, repeat: 3, measures: measures(9000, 100 * MIB) }
  const failed: Run = { cell: other!, repeat: 3, failure: 'it broke | there' }
  const setting = { scale: 'normal', link: 'tbf', repeats: 4 } as const
  const names = new Set(picked.map(nameOf))
  const runs = [alone, failed, ...pairs].filter(({ cell }) => names.has(cell))
  return toPaperResult(grid, picked, runs, setting)
}

describe('a result', () => {
  it('compares the pairs that are whole, and judges bar and paper by them', () => {
    const { cases, paper } = resultOf()
    const total = cases.find(({ name, metric }) => name.endsWith('new') && /TT/.test(metric))!
    expect(total).toMatchObject({ values: [1200, 2400, 3600], pass: false })
    expect(total.ratio).toBeCloseTo(1.2)
    expect(total.against!.values).toEqual([1000, 2000, 3000])
    expect(paper.findings).toMatchObject([{ ruling: 'contradicts' }])
    expect(paper.findings[0]!.percents[1]).toBeCloseTo(20)
  })

  it('has no ratio to nothing, and no figure that was not measured', () => {
    const { cases } = resultOf()
    expect(cases.find(({ metric }) => /RD/.test(metric))!.ratio).toBeUndefined()
    expect(cases.some(({ metric }) => metric === 'service got')).toBe(false)
  })

  it('can be written and read', () => {
    const result = resultOf()
    expect(paperMarkdown(JSON.parse(JSON.stringify(result)) as PaperResult)).toBe(
      paperMarkdown(result),
    )
  })
})

describe('its text', () => {
  it('has medians with their spread, and what contradicts the paper', () => {
    const text = formatPaper(resultOf())
    expect(text).toMatch(/ 2\.50 s \(1\.00 s \.\.\. 9\.00 s\)/)
    expect(text).toMatch(/-10 % .*\+20\.0 % \(\+20\.0 \.\.\. \+20\.0\).*CONTRADICTS THE PAPER/)
    expect(text).toContain('1 comparisons with the paper: 0 agree, 1 contradict it')
    expect(text).toContain('zero 20 KiB, same 4 KiB')
    expect(text).toContain('downtime 4')
  })

  it('has every bar, and one that nothing was measured for is missed', () => {
    const row = /\| idle, 64 MiB, 1 Gbit\/s, new \| (total .*) \|$/m
    expect(row.exec(paperMarkdown(resultOf()))![1]).toBe(
      'total time (TT) | 1.20 of base | <= 1.03 | MISSED',
    )
    const missed = 'total time (TT) against base | not measured | <= 1.03 | MISSED'
    expect(row.exec(paperMarkdown(resultOf(cells.slice(1))))![1]).toBe(missed)
    const nothing = toPaperResult(grid, cells, [], { scale: 'normal', link: 'tbf', repeats: 3 })
    expect(row.exec(paperMarkdown(nothing))![1]).toBe(missed)
    expect(formatPaper(nothing)).toMatch(/not measured.*MISSED/)
    expect(nothing.cases).toHaveLength(1)
  })

  it('is Markdown, with whatever was said', () => {
    const lines = paperMarkdown(resultOf()).split('\n')
    expect(lines).toContain('| idle, 64 MiB, 1 Gbit/s, new | 4 | it broke \\| there |')
    expect(lines).toContain('| not known | base | 1.00 x |')
    const heads = lines.filter((line) => line.startsWith('| ---'))
    expect(heads).toHaveLength(6)
  })
})

it('its pictures have medians, least and most, in seconds', () => {
  const [chart] = chartsOf(grid, resultOf().paper)
  const title = 'F, 64 MiB, 1 Gbit/s'
  expect(chart).toMatchObject({ title, axis: 'total time (TT), s', ways: ['base', 'new'] })
  expect(chart!.bars[1]).toEqual({ at: 'new', way: 'new', value: 2.4, low: 1.2, high: 3.6 })
})
