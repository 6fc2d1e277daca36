/**
 * Plays many cells at once and counts how they ended.
 *
 * @module
 */
import type { MigrationMode } from '@godwit/core'
import { seededRandom } from '@godwit/testkit'
import { removeFiles } from './agent-process.ts'
import type { Cell } from './cell.ts'
import { MODES, cellsOf, nameOf } from './cell.ts'
import type { Outcome, Verdict } from './judge.ts'
import { OUTCOMES, isBad } from './judge.ts'
import type { Place } from './place.ts'
import { textOf } from './place.ts'
import { play, rehearse } from './play.ts'
import { Stage } from './stage.ts'

/** Two cores: cells wait for heartbeats more than they compute. */
const STAGES_DEFAULT = 6

export interface MatrixResult {
  readonly counts: ReadonlyMap<Outcome, number>
  /** One line for each cell that ended as it may not. */
  readonly failures: readonly string[]
  readonly seconds: number
}

export interface MatrixOptions {
  readonly stages?: number
  readonly onVerdict?: (cell: Cell, verdict: Verdict) => void
}

/** All cells; migrations that lose nothing tell which frames there are. */
export async function allCells(modes: readonly MigrationMode[] = MODES): Promise<readonly Cell[]> {
  const [stage, cells] = [new Stage(), [] as Cell[]]
  try {
    for (const mode of modes) cells.push(...cellsOf(mode, await stablePlaces(stage, mode)))
    return cells
  } finally {
    await stage.clear()
  }
}

/** Frames that came twice; which pages are asked for is up to the guest's threads. */
async function stablePlaces(stage: Stage, mode: MigrationMode): Promise<readonly Place[]> {
  const first = await rehearse(stage, mode)
  const second = new Set((await rehearse(stage, mode)).map(textOf))
  return first.filter((place) => second.has(textOf(place)))
}

/** In an order that follows from `seed`. */
export function shuffled<Kind>(items: readonly Kind[], seed: number): Kind[] {
  const random = seededRandom(seed)
  const list = [...items]
  for (let i = list.length - 1; i > 0; i--) {
    const j = random(i + 1)
    ;[list[i], list[j]] = [list[j]!, list[i]!]
  }
  return list
}

/** One cell of every fault, as far as there are any. */
export function sampleOf(cells: readonly Cell[], seed: number): readonly Cell[] {
  const byFault = new Map(shuffled(cells, seed).map((cell) => [cell.fault, cell]))
  return [...byFault.values()]
}

/** Plays them all. */
export async function playAll(
  cells: readonly Cell[],
  { stages: stageCount = STAGES_DEFAULT, onVerdict }: MatrixOptions = {},
): Promise<MatrixResult> {
  const startMs = performance.now()
  const counts = new Map<Outcome, number>(OUTCOMES.map((outcome) => [outcome, 0]))
  const failures: string[] = []
  const left = [...cells]
  const work = async (): Promise<void> => {
    const stage = new Stage()
    for (let cell = take(left); cell !== undefined; cell = take(left, cell)) {
      const verdict = await play(stage, cell)
      counts.set(verdict.outcome, counts.get(verdict.outcome)! + 1)
      onVerdict?.(cell, verdict)
      if (isBad(verdict)) {
        failures.push(failureLine(cell, verdict))
        await stage.clear()
      }
    }
    await stage.clear()
  }
  await Promise.all(Array.from({ length: Math.min(stageCount, cells.length) }, work))
  removeFiles()
  return { counts, failures, seconds: (performance.now() - startMs) / 1000 }
}

/** The next cell: if there is one, for which the destination need not be started anew. */
function take(left: Cell[], last?: Cell): Cell | undefined {
  const same = left.findIndex(({ fault }) => fault.receive?.join() === last?.fault.receive?.join())
  return left.splice(Math.max(0, same), 1)[0]
}

function failureLine(cell: Cell, { outcome, why }: Verdict): string {
  return `${outcome} ${nameOf(cell)}: ${why}; again: pnpm run faults --only ${nameOf(cell)}`
}

/** The table of counts. */
export function formatCounts({ counts, seconds }: MatrixResult): string {
  const played = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const lines = [...counts].map(([outcome, count]) => `  ${String(count).padStart(5)} ${outcome}`)
  return [`${played} cells in ${seconds.toFixed(0)} s`, ...lines].join('\n')
}
