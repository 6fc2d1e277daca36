import type { PaperResult } from '@godwit/benchmarks'
import { expect, it } from 'vitest'
import { fillResults } from './papers-text.ts'

const page = 'a\n<!-- result one -->\nold\n<!-- end -->\nb\n<!-- result two -->\n<!-- end -->\nc\n'
const machine = { cpu: 'c', cores: 2, memoryBytes: 1024, kernel: 'k', node: 'n' }
const setting = { scale: 'normal', link: 'tbf', repeats: 3, grid: 'one', title: 't', source: 's' }
const facts = { ...setting, cells: [], runs: [], findings: [] } as const
const result: PaperResult = {
  schema: 'godwit.bench/1',
  name: 'paper one',
  machine,
  cases: [],
  paper: facts as unknown as PaperResult['paper'],
}

it('what is kept stands between the marks of its grid, and again when it is done twice', () => {
  const read = (grid: string): PaperResult | undefined => (grid === 'one' ? result : undefined)
  const filled = fillResults(page, read)
  expect(filled).toMatch(/^a\n<!-- result one -->\n\npaper one: c, 2 cores/)
  expect(filled).not.toContain('old')
  expect(filled).toMatch(
    /b\n<!-- result two -->\n\nNo result of it is kept yet\.\n\n<!-- end -->\nc/,
  )
  expect(fillResults(filled, read)).toBe(filled)
})
