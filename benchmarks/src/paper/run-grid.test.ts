import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GodwitError } from '@godwit/core'
import { afterAll, describe, expect, it } from 'vitest'
import type { Cell } from './cell.ts'
import { nameOf } from './cell.ts'
import type { Journal, Run, RunsHeader } from './journal.ts'
import { headerOf, openJournal } from './journal.ts'
import type { Measures } from './measure.ts'
import { runGrid } from './run-grid.ts'

const folder = mkdtempSync(join(tmpdir(), 'godwit-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

const cells = ['x', 'y'].map((way): Cell => {
  const size = { memoryBytes: 1 << 20, linkRate: 125e6, competingRate: 0 }
  return { load: 'idle', way, guest: 'idle', options: [], ...size }
})
const measures = { totalMs: 7, downtimeMs: 1 } as Measures
const header = headerOf('g', cells, 'tbf')

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
    const { moved, runs, said } = await play(openJournal(undefined, header))
    expect(moved).toEqual(['x', 'x', 'y', 'y', 'x'])
    expect(runs.map(keyOf)).toEqual(['x0', 'y0 no luck', 'y1', 'x1'])
    expect(said.filter((text) => text.startsWith('failed'))).toEqual(['failed: no luck'])
    // Each run took 1 s, whatever was expected.
    expect(said.at(-1)).toMatch(/x: 2 of 2; about 1 s left$/)
  })

  it('goes on where it was, and takes a line that was cut short for none', async () => {
    const file = join(folder, 'runs')
    const open = (): Journal => openJournal(file, header)
    await play(open(), 1)
    writeFileSync(file, `${readFileSync(file, 'utf8')}{"cell":"id`)
    expect(open().done.map(keyOf)).toEqual(['x0', 'y0 no luck'])
    const { moved, runs } = await play(open())
    // The first is the one that is not counted; what failed is tried once more.
    expect(moved).toEqual(['y', 'y', 'y', 'x'])
    expect(runs.map(keyOf)).toEqual(['x0', 'y0', 'y1', 'x1'])
    const again = { measures, earlierFailure: 'no luck' }
    expect(runs.filter((run) => run.earlierFailure !== undefined)).toHaveLength(1)
    expect(runs[1]).toMatchObject(again)
    expect((await play(open())).moved).toEqual([])
    expect(open().done).toHaveLength(4)
    expect(open().done[1]).toMatchObject(again)
  })

  it('keeps nothing of a run that was interrupted, and goes no further', async () => {
    const file = join(folder, 'interrupted')
    const journal = openJournal(file, header)
    const moved: string[] = []
    const move = async ({ way }: Cell): Promise<Measures> => {
      moved.push(way)
      if (way === 'y') throw new GodwitError('CANCELLED', 'enough')
      return measures
    }
    const run = runGrid({ cells, repeats: 2, journal, move, say: () => {}, nowMs: () => 0 })
    await expect(run).rejects.toThrow('enough')
    expect(moved).toEqual(['x', 'x', 'y'])
    expect(openJournal(file, header).done.map(keyOf)).toEqual(['x0'])
  })

  it('does not try again what failed twice', async () => {
    const file = join(folder, 'twice')
    const failed = { cell: nameOf(cells[1]!), repeat: 0, failure: 'again' }
    openJournal(file, header).append(failed)
    openJournal(file, header).append(failed)
    const { moved, runs } = await play(openJournal(file, header), 1)
    expect(moved).toEqual(['x', 'x'])
    expect(runs.map(keyOf)).toEqual(['y0 again', 'x0'])
  })

  it.each<[Partial<RunsHeader>, string]>([
    [{ grid: 'other' }, 'grid (g, here other)'],
    [{ link: 'proxy' }, 'link (tbf, here proxy)'],
    [{ release: '9.9.9' }, 'release of godwit (0.1.0, here 9.9.9)'],
    [{ node: 'v1' }, `version of Node (${process.version}, here v1)`],
    [{ machine: 'm', node: 'v1' }, 'version of Node ('],
    [{ machine: 'm' }, 'machine ('],
    [
      { parameters: headerOf('g', [{ ...cells[0]!, guest: 'cpu' }], 'tbf').parameters },
      'cells or options of runs (',
    ],
  ])('does not go on with runs of another %j', (other, what) => {
    const file = join(folder, 'kept')
    openJournal(file, header)
    expect(() => openJournal(file, { ...header, ...other })).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: expect.stringContaining(`${file} has runs of another ${what}`),
      }),
    )
  })

  it.each([
    ['no JSON', '{"cell'],
    ['no run', '{"cell":"x"}'],
    ['a run without figures', '{"cell":"x","repeat":0,"measures":{}}'],
    ['nothing', ''],
  ])('tells of a damaged line: %s', (what, line) => {
    const file = join(folder, what)
    openJournal(file, header).append({ cell: 'x', repeat: 0, failure: 'f' })
    writeFileSync(file, `${readFileSync(file, 'utf8')}${line}\n`)
    const unreadable = {
      code: 'FILE_UNREADABLE',
      message: expect.stringContaining(`${file}: line 3 `),
    }
    expect(() => openJournal(file, header)).toThrow(expect.objectContaining(unreadable))
  })

  it.each(['', 'nothing', '{"schema":"x"}'])('tells of a file of something else: %j', (text) => {
    const file = join(folder, 'else')
    writeFileSync(file, `${text}\n`)
    const unreadable = {
      code: 'FILE_UNREADABLE',
      message: expect.stringContaining(`${file}: line 1 `),
    }
    expect(() => openJournal(file, header)).toThrow(expect.objectContaining(unreadable))
  })

  it('tells of a directory', () => {
    const file = join(folder, 'directory')
    mkdirSync(file)
    const unreadable = { code: 'FILE_UNREADABLE', message: expect.stringContaining(file) }
    expect(() => openJournal(file, header)).toThrow(expect.objectContaining(unreadable))
  })
})
