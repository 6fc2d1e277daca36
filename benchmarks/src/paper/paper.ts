/**
 * `godwit bench paper NAME`: the experiments of papers, over real sockets on a shaped link.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import type { BenchOptions } from '../benchmark.ts'
import { bdaGrid } from './bda.ts'
import type { Scale } from './cell.ts'
import { pickCells } from './cell.ts'
import { expectedMs, formatAbout } from './estimate.ts'
import type { Grid } from './grid.ts'
import { hash75 } from './hash75.ts'
import { headerOf, openJournal } from './journal.ts'
import { PAIRS_MIN } from './judge.ts'
import type { PaperResult } from './paper-result.ts'
import { toPaperResult } from './paper-result.ts'
import { checkCells } from './probe.ts'
import { runCell } from './run-cell.ts'
import type { GridRun } from './run-grid.ts'
import { runGrid, turnsLeft } from './run-grid.ts'
import type { LinkKind } from './shaped-link.ts'
import { layLink } from './shaped-link.ts'
import { presetsGrid } from './presets.ts'
import { survey } from './survey.ts'

export const GRIDS: readonly Grid[] = [hash75, bdaGrid, survey, presetsGrid]

/** @throws {GodwitError} `USAGE` */
export function findGrid(name: string): Grid {
  const found = GRIDS.find((grid) => grid.name === name)
  if (found !== undefined) return found
  const known = GRIDS.map((grid) => grid.name).join(', ')
  throw new GodwitError('USAGE', `"${name}" is not the grid of a paper; there are ${known}`)
}

export interface PaperOptions extends Pick<BenchOptions, 'godwit' | 'only' | 'say'> {
  readonly scale: Scale
  /** Default 3, or 1 where it is quick. */
  readonly repeats?: number
  /** Default: namespaces where those may be made. */
  readonly link?: LinkKind
  /** A file that keeps each run as soon as it is there, and whose runs are not run again. */
  readonly runsFile?: string
}

/** @throws {GodwitError} `USAGE`: nothing is measured when a cell cannot be */
export async function runPaper(grid: Grid, options: PaperOptions): Promise<PaperResult> {
  const { scale, only, godwit, say } = options
  const repeats = options.repeats ?? (scale === 'quick' ? 1 : PAIRS_MIN)
  const cells = pickCells(grid.cells(scale), only)
  const link = await layLink(cells[0]!.linkRate, options.link)
  try {
    const journal = openJournal(options.runsFile, headerOf(grid.name, cells, link.kind))
    const left = turnsLeft(cells, repeats, journal)
    if (left.length > 0) await checkCells(godwit, cells, link.kind)
    const takes = formatAbout(expectedMs(left.map(({ cell }) => cell)))
    say(`${grid.name}: ${cells.length} cells, ${repeats} times each, ${takes}; link: ${link.kind}`)
    const move: GridRun['move'] = (cell, repeat) => runCell(godwit, cell, link, repeat)
    const nowMs = (): number => performance.now()
    const runs = await runGrid({ cells, repeats, journal, move, say, nowMs })
    return toPaperResult(grid, cells, runs, { scale, link: link.kind, repeats })
  } finally {
    await link.remove()
  }
}
