import { GIB } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import type { Destination } from './route.ts'
import { rankForRoute } from './route.ts'

const need = { memoryBytes: GIB }

function machine(name: string, cost: number | undefined, facts: Partial<Destination> = {}) {
  const none = { address: null, ofPair: 0, siblings: 0, images: 0, isLive: true }
  const path =
    cost === undefined
      ? undefined
      : { cost, machines: ['here', name], bandwidthBytesPerSecond: Infinity }
  return { machine: name, freeBytes: 8 * GIB, load: 0.5, ...none, path, ...facts }
}

const outcome = (destinations: readonly Destination[]) => {
  const { ranked, refused } = rankForRoute(destinations, 'here', need)
  return [...ranked, ...refused].map((one) => [one.machine, one.reason.rule, one.reason.text])
}

describe('rankForRoute', () => {
  it('takes machines with a sibling or an image first, whatever the way costs', () => {
    expect(
      outcome([
        machine('near', 1),
        machine('far', 9, { siblings: 2 }),
        machine('farther', 10, { images: 1, load: 0 }),
      ]),
    ).toEqual([
      ['far', 'path', 'path costs 9, the other 10'],
      ['farther', 'path', 'path costs 10, the choice 9'],
      ['near', 'sibling', 'no sibling'],
    ])
  })

  it('tells what decided for the choice', () => {
    const [first] = outcome([machine('a', 1), machine('b', 5, { siblings: 1 })])
    expect(first).toEqual(['b', 'sibling', 'a sibling runs there, the other none'])
    const [image] = outcome([machine('a', 1), machine('b', 5, { images: 1 })])
    expect(image).toEqual(['b', 'sibling', 'an image lies there, the other none'])
  })

  it('does not care how many siblings there are; then load, memory and name decide', () => {
    expect(
      outcome([
        machine('d', 1, { siblings: 5, load: 0.6 }),
        machine('c', 1, { siblings: 1, freeBytes: 2 * GIB }),
        machine('b', 1, { siblings: 1 }),
        machine('a', 1, { siblings: 1 }),
      ]).map(([name, rule]) => [name, rule]),
    ).toEqual([
      ['a', 'name'],
      ['b', 'name'],
      ['c', 'memory'],
      ['d', 'load'],
    ])
  })

  it('leaves out its own machine, and those without a way or room', () => {
    expect(
      outcome([
        machine('here', 0, { siblings: 1 }),
        machine('island', undefined, { siblings: 1 }),
        machine('full', 1, { siblings: 1, freeBytes: 0 }),
        machine('fits', 1),
      ]),
    ).toEqual([
      ['fits', 'room', 'no other can take it'],
      ['full', 'room', '0 B free, 1 GiB needed'],
      ['here', 'source', 'the guest is there'],
      ['island', 'unreachable', 'no path from here'],
    ])
  })
})
