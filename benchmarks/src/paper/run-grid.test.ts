import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Cell } from './cell.ts'
import type { Journal, Run } from './journal.ts'
import { openJournal } from './journal.ts'
import type { Measures } from './measure.ts'
import { runGrid } from './run-grid.ts'

const folder = mkdtempSync(join(tmpdir(), 'godwit-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

const cells = ['x', 'y'].map((way): Cell => {
  const size = { memoryBytes: 1 << 20, linkRate: 125e6, competingRate: 0 }
  return { load: 'idle', way, guest: 'idle', options: [], ...size }
})
const measures = { totalMs: 7 } as Measures

/** Plays a grid; `y` fails the first time. */
async function play(journal: Journal, repeats = 2) {
  const moved: string[] = []
  const said: string[] = []
  let atMs = 0
  const move = async ({ way }: Cell): Promise<Measures> => {
    moved.push(way)
    atMs += 1000
    if (way === 'y' && moved.filter((one) => one === 'y').length === 1) throw new Error('no luck')
    return measures
  }
  const say = (text: string): void => void said.push(text)
  const runs = await runGrid({ cells, repeats, journal, move, say, nowMs: () => atMs })
  return { moved, said, runs }
}

function keyOf({ cell, repeat, failure }: Run): string {
  return `${cell.at(-1)}${repeat}${failure === undefined ? '' : ` ${failure}`}`
}

describe('a grid', () => {
  it('is measured in turn, after one run that does not count', async () => {
    const { moved, runs, said } = await play(openJournal(undefined, 'g', cells, 'tbf'))
    expect(moved).toEqual(['x', 'x', 'y', 'y', 'x'])
    expect(runs.map(keyOf)).toEqual(['x0', 'y0 no luck', 'y1', 'x1'])
    expect(said.filter((text) => text.startsWith('failed'))).toEqual(['failed: no luck'])
    // Each run took 1 s, whatever was expected.
    expect(said.at(-1)).toMatch(/x: 2 of 2; about 1 s left$/)
  })

  it('goes on where it was, and takes a line that was cut short for none', async () => {
    const file = join(folder, 'runs')
    const open = (): Journal => openJournal(file, 'g', cells, 'tbf')
    await play(open(), 1)
    writeFileSync(file, `${readFileSync(file, 'utf8')}{"cell":"id`)
    const { moved, runs } = await play(open())
    expect(moved).toEqual(['y', 'y', 'x'])
    expect(runs.map(keyOf)).toEqual(['x0', 'y0 no luck', 'y1', 'x1'])
    expect((await play(open())).moved).toEqual([])
    expect(open().done).toHaveLength(4)
  })

  it.each<[string, string, readonly Cell[], 'tbf' | 'proxy']>([
    ['grid', 'other', cells, 'tbf'],
    ['link', 'g', cells, 'proxy'],
    ['set of cells', 'g', [{ ...cells[0]!, guest: 'cpu' }], 'tbf'],
  ])('does not go on with runs of another %s', (_what, grid, others, link) => {
    const file = join(folder, 'kept')
    openJournal(file, 'g', cells, 'tbf')
    expect(() => openJournal(file, grid, others, link)).toThrow(/name another file/)
  })
})
