import { GIB } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rankForPlacement } from './placement.ts'
import type { Candidate } from './ranking.ts'

const need = { memoryBytes: GIB }

function machine(name: string, facts: Partial<Candidate> = {}): Candidate {
  const none = { address: null, ofPair: 0, siblings: 0, images: 0, isLive: true }
  return { machine: name, freeBytes: 8 * GIB, load: 0.5, ...none, ...facts }
}

const names = ({ ranked }: ReturnType<typeof rankForPlacement>) => ranked.map((one) => one.machine)

describe('rankForPlacement', () => {
  it('takes machines without the pair first, then those with fewest of it', () => {
    const machines = [
      machine('a', { ofPair: 2, load: 0 }),
      machine('b', { ofPair: 1, load: 0.1 }),
      machine('c', { load: 0.9, freeBytes: GIB }),
    ]
    const { ranked } = rankForPlacement(machines, need)
    expect(ranked.map((one) => [one.machine, one.reason.rule, one.reason.text])).toEqual([
      ['c', 'pair', 'none of the pair, the other 1'],
      ['b', 'pair', '1 of the pair, the choice 0'],
      ['a', 'pair', '2 of the pair, the choice 0'],
    ])
  })

  it('then goes by load, free memory and name', () => {
    const machines = [
      machine('d', { load: 0.6 }),
      machine('c', { freeBytes: 4 * GIB }),
      machine('b'),
      machine('a'),
    ]
    const { ranked } = rankForPlacement(machines, need)
    expect(ranked.map((one) => [one.machine, one.reason.rule, one.reason.text])).toEqual([
      ['a', 'name', 'equal; the name is earlier'],
      ['b', 'name', 'equal; the name is later'],
      ['c', 'memory', '4 GiB free, the choice 8 GiB'],
      ['d', 'load', 'load 0.6, the choice 0.5'],
    ])
  })

  it('says what keeps machines out', () => {
    const machines = [
      machine('full', { freeBytes: GIB - 1 }),
      machine('busy', { load: 0.81 }),
      machine('dead', { isLive: false }),
      machine('fits', { ofPair: 9, load: 0.8, freeBytes: GIB }),
    ]
    const { ranked, refused } = rankForPlacement(machines, { ...need, loadMax: 0.8 })
    expect(ranked.map((one) => [one.machine, one.reason.text])).toEqual([
      ['fits', 'no other can take it'],
    ])
    expect(refused.map((one) => [one.machine, one.reason.rule])).toEqual([
      ['busy', 'busy'],
      ['dead', 'silent'],
      ['full', 'room'],
    ])
    expect(rankForPlacement([], need)).toEqual({ ranked: [], refused: [] })
  })

  it('does not depend on the order of machines', () => {
    const some = fc.uniqueArray(
      fc.record({
        machine: fc.string({ minLength: 1, maxLength: 2 }),
        address: fc.constant(null),
        freeBytes: fc.integer({ min: 0, max: 2 }).map((size) => size * GIB),
        load: fc.integer({ min: 0, max: 2 }),
        ofPair: fc.nat(2),
        siblings: fc.constant(0),
        images: fc.constant(0),
        isLive: fc.boolean(),
      }),
      { selector: (one) => one.machine, maxLength: 8 },
    )
    fc.assert(
      fc.property(some, (machines) => {
        const ranking = rankForPlacement(machines, need)
        expect(rankForPlacement(machines.toReversed(), need)).toEqual(ranking)
        expect(ranking.ranked.length + ranking.refused.length).toBe(machines.length)
        const chosen = names(ranking)[0]
        const open = machines.filter((one) => one.isLive && one.freeBytes >= GIB)
        const fewest = Math.min(...open.map((one) => one.ofPair))
        expect(machines.find((one) => one.machine === chosen)?.ofPair ?? Infinity).toBe(fewest)
      }),
    )
  })
})
