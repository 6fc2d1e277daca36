/**
 * A paper's grid, end to end: real processes and sockets through a proxy, a service beside them,
 * and what is said in the end.
 */
import './compile-cache.ts'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Grid } from '@godwit/benchmarks'
import { chartsOf, formatPaper, runPaper } from '@godwit/benchmarks'
import { MIB, parseRate } from '@godwit/core'
import { afterAll, expect, it } from 'vitest'

const main = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
const godwit = [process.execPath, main]
const folder = mkdtempSync(join(tmpdir(), 'godwit-paper-'))
afterAll(() => rmSync(folder, { recursive: true }))

const cell = {
  load: 'idle',
  memoryBytes: 4 * MIB,
  guest: 'idle,content=0/100/0/0',
  linkRate: parseRate('400Mbit'),
  competingRate: parseRate('40Mbit'),
}
const warmup = ['--warmup', '200ms', '--stop', 'max-rounds=2']
/** Text that is compressed is less than a quarter, in every single run. */
const grid: Grid = {
  name: 'tiny',
  title: 'compression',
  source: 'nobody',
  base: 'plain',
  cells: () => [
    { ...cell, way: 'plain', options: ['--encode', 'none', ...warmup] },
    { ...cell, way: 'zstd', options: ['--encode', 'zstd', ...warmup] },
  ],
  claims: [
    {
      where: 'section 1',
      quote: 'it helps nobody',
      way: 'zstd',
      against: 'plain',
      metric: 'transferred',
      says: { kind: 'change', percent: 50 },
    },
  ],
  bars: [{ way: 'zstd', metric: 'transferred', bar: { op: '<=', value: 0.5 } }],
  figures: [{ name: 'bytes', title: 'Bytes', metric: 'transferred', by: 'way', shows: () => true }],
  recommends: true,
}

it('the grid of a paper moves real guests, and says where it contradicts the paper', async () => {
  const runsFile = join(folder, 'runs.jsonl')
  const said: string[] = []
  const options = { scale: 'quick', link: 'proxy', godwit, runsFile } as const
  const say = (text: string): void => void said.push(text)
  const first = await runPaper(grid, { ...options, say, repeats: 1 })
  expect(first.paper.runs.map(({ cell: name, failure }) => [name, failure])).toEqual([
    ['idle, 4 MiB, 400 Mbit/s, plain', undefined],
    ['idle, 4 MiB, 400 Mbit/s, zstd', undefined],
  ])
  expect(said[0]).toMatch(/^tiny: 2 cells, 1 times each, about \d+ s; link: proxy$/)
  for (const { measures } of first.paper.runs) {
    expect(measures!.serviceShare).toBeGreaterThan(0)
    expect(measures!.totalMs).toBeGreaterThan(measures!.downtimeMs)
  }
  const [plain, zstd] = first.paper.runs
  expect(plain!.measures!.pages.raw).toBe(1024)
  expect(zstd!.measures!.transferredBytes / plain!.measures!.transferredBytes).toBeLessThan(0.5)
  // As if it had been measured twice more.
  const lines = readFileSync(runsFile, 'utf8').trimEnd().split('\n')
  const again = [1, 2].flatMap((repeat) =>
    lines.slice(1).map((line) => JSON.stringify({ ...JSON.parse(line), repeat })),
  )
  writeFileSync(runsFile, `${[...lines, ...again].join('\n')}\n`)
  said.length = 0
  const result = await runPaper(grid, { ...options, say, repeats: 3 })
  expect(said).toHaveLength(1)
  expect(result.paper.findings).toMatchObject([{ ruling: 'contradicts' }])
  expect(formatPaper(result)).toMatch(/CONTRADICTS THE PAPER/)
  expect(result.cases.find(({ bar }) => bar !== undefined)).toMatchObject({ pass: true })
  expect(result.paper.recommendations!.overall).toBe('zstd')
  expect(chartsOf(grid, result.paper)[0]!.bars).toHaveLength(2)
}, 60_000)
