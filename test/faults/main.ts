/**
 * The fault matrix by hand: `pnpm run faults [--all] [--only TEXT] [--seed S] [--stages N]
 * [--list]`. `--only` takes a part of a cell's name, or all of it; without either there is one cell
 * of every fault.
 *
 * @module
 */
import { parseArgs } from 'node:util'
import { nameOf, parseCell } from './cell.ts'
import type { Cell } from './cell.ts'
import { isBad } from './judge.ts'
import { allCells, formatCounts, playAll, sampleOf, shuffled } from './matrix.ts'

const { values } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    seed: { type: 'string' },
    stages: { type: 'string' },
    list: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
})
const say = (text: string): void => void process.stdout.write(`${text}\n`)
const seed = values.seed === undefined ? Date.now() >>> 0 : Number(values.seed)

async function chosen(): Promise<readonly Cell[]> {
  const named = values.only.map(parseCell)
  if (named.length > 0 && named.every((cell) => cell !== undefined)) return named
  const cells = await allCells()
  const wanted = cells.filter((cell) => values.only.some((text) => nameOf(cell).includes(text)))
  if (values.only.length > 0) return wanted
  return values.all ? shuffled(cells, seed) : sampleOf(cells, seed)
}

// The agents are told, even those that stand still.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const cells = await chosen()
if (values.list) {
  for (const cell of cells) say(nameOf(cell))
} else {
  say(`seed ${seed}, ${cells.length} cells`)
  let done = 0
  const startMs = performance.now()
  const result = await playAll(cells, {
    ...(values.stages === undefined ? {} : { stages: Number(values.stages) }),
    onVerdict(cell, verdict) {
      const { outcome, why } = verdict
      done++
      if (isBad(verdict)) say(`${outcome} ${nameOf(cell)}: ${why}`)
      else if (values.verbose) say(`${outcome} ${nameOf(cell)}`)
      if (done % 100 === 0) say(`${done} done, ${((performance.now() - startMs) / 1000) | 0} s`)
    },
  })
  for (const line of result.failures) say(line)
  say(formatCounts(result))
  process.exitCode = result.failures.length === 0 ? 0 : 1
}
