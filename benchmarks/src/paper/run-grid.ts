/**
 * Runs a grid: all cells in turn, again and again, so that what drifts hits all alike.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import type { Cell } from './cell.ts'
import { nameOf, orderOf } from './cell.ts'
import { expectedRunMs, formatAbout, remainingMs } from './estimate.ts'
import type { Journal, Run } from './journal.ts'
import { keyOf } from './journal.ts'
import type { Measures } from './measure.ts'

export interface GridRun {
  readonly cells: readonly Cell[]
  readonly repeats: number
  readonly journal: Journal
  /** One migration. @throws when it was not right */
  readonly move: (cell: Cell, repeat: number) => Promise<Measures>
  readonly say: (text: string) => void
  readonly nowMs: () => number
}

interface Turn {
  readonly cell: Cell
  readonly repeat: number
}

/** @returns the runs of all cells, those of the journal first that are not tried again */
export async function runGrid(grid: GridRun): Promise<readonly Run[]> {
  const { cells, repeats, journal, move, say, nowMs } = grid
  const turns = turnsLeft(cells, repeats, journal)
  const left = new Set(turns.map(({ cell, repeat }) => keyOf(nameOf(cell), repeat)))
  const runs = journal.done.filter(
    ({ cell, repeat }) => repeat < repeats && !left.has(keyOf(cell, repeat)),
  )
  const failures = new Map(
    journal.done.map(({ cell, repeat, failure }) => [keyOf(cell, repeat), failure]),
  )
  const [first] = turns
  if (first === undefined) return runs
  say('one migration that is not counted: it finds memory for the others')
  await move(first.cell, first.repeat).catch(rethrowInterrupt)
  const startMs = nowMs()
  const leftMs = turns.map(({ cell }) => expectedRunMs(cell))
  let doneMs = 0
  for (const [i, { cell, repeat }] of turns.entries()) {
    const rest = leftMs.slice(i).reduce((sum, ms) => sum + ms, 0)
    const more = formatAbout(remainingMs(rest, doneMs, nowMs() - startMs))
    say(`${nameOf(cell)}: ${repeat + 1} of ${repeats}; ${more} left`)
    const tried = await runOnce(cell, repeat, move)
    const earlierFailure = failures.get(keyOf(nameOf(cell), repeat))
    const run = earlierFailure === undefined ? tried : { ...tried, earlierFailure }
    if (run.failure !== undefined) say(`failed: ${run.failure}`)
    journal.append(run)
    runs.push(run)
    doneMs += leftMs[i]!
  }
  return runs
}

/** What is not done yet, or failed once, in its order. */
export function turnsLeft(
  cells: readonly Cell[],
  repeats: number,
  { settled }: Pick<Journal, 'settled'>,
): readonly Turn[] {
  return Array.from({ length: repeats }, (_, repeat) =>
    orderOf(cells, repeat).map((cell) => ({ cell, repeat })),
  )
    .flat()
    .filter(({ cell, repeat }) => !settled.has(keyOf(nameOf(cell), repeat)))
}

async function runOnce(cell: Cell, repeat: number, move: GridRun['move']): Promise<Run> {
  const name = nameOf(cell)
  try {
    return { cell: name, repeat, measures: await move(cell, repeat) }
  } catch (thrown) {
    rethrowInterrupt(thrown)
    const failure = thrown instanceof Error ? thrown.message : String(thrown)
    return { cell: name, repeat, failure }
  }
}

/** A run that was interrupted is none: nothing is kept of it, and none follows. */
function rethrowInterrupt(thrown: unknown): void {
  if (thrown instanceof GodwitError && thrown.code === 'CANCELLED') throw thrown
}
