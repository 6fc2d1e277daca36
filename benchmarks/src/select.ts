/**
 * What page selectors cost: one choice, after every round, over the pages of 1 GiB.
 *
 * @module
 */
import { PageBitmap } from '@godwit/core'
import { SELECT_NAMES, parseSelect } from '@godwit/policy'
import type { Benchmark } from './benchmark.ts'
import type { Case } from './result.ts'
import { toCase, toResult } from './result.ts'

const pageCount = 262_144
const barNs = 20
/** Shares of pages that are dirtied in a round, in percent. */
const dirtyPercents = [1, 10, 50] as const
const seed = 0x2545f491

export const select: Benchmark = {
  name: 'select',
  summary: 'page selectors: one choice over 262,144 pages, of which some are dirty, per page',
  async run({ quick, repeat, say }) {
    const rounds = quick ? 20 : 200
    const cases: Case[] = []
    for (const name of SELECT_NAMES) {
      say(`select: ${name}`)
      for (const percent of dirtyPercents) {
        const values = Array.from({ length: repeat }, () => choiceNs(name, percent, rounds))
        const bar = { op: '<=', value: barNs } as const
        cases.push(toCase({ name, metric: `${percent} % dirty`, unit: 'ns', values, bar }))
      }
    }
    return toResult('select', cases)
  },
}

/**
 * Nanoseconds per page and round of a selector that has seen as many rounds as it remembers: what
 * it holds is lacking in the next one, as in a migration.
 */
function choiceNs(name: string, percent: number, rounds: number): number {
  const sets = Array.from({ length: 8 }, (_, at) => randomSet(percent, seed + at).words)
  const wordCount = sets[0]!.length
  const selector = parseSelect(name).create([wordCount])
  const held = new Uint32Array(wordCount)
  const send = new Uint32Array(wordCount)
  const warmUp = 32
  let tookMs = 0
  for (let round = 0; round < warmUp + rounds; round++) {
    const fresh = sets[round % sets.length]!
    for (let i = 0; i < wordCount; i++) held[i]! |= fresh[i]!
    const startMs = performance.now()
    selector.select(0, fresh, held, send)
    if (round >= warmUp) tookMs += performance.now() - startMs
    for (let i = 0; i < wordCount; i++) held[i]! &= ~send[i]!
  }
  return (tookMs * 1e6) / (rounds * pageCount)
}

/** Each page with the same probability. */
function randomSet(percent: number, from: number): PageBitmap {
  const set = new PageBitmap(pageCount)
  let state = from
  for (let page = 0; page < pageCount; page++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    if ((state >>> 0) % 100 < percent) set.add(page)
  }
  return set
}
