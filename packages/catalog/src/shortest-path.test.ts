import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cheapestPaths } from './shortest-path.ts'

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']

function link(source: string, destination: string, cost: number, bandwidthBytesPerSecond = 1e9) {
  return { source, destination, cost, bandwidthBytesPerSecond }
}

const someLinks = fc.array(
  fc
    .tuple(fc.constantFrom(...names), fc.constantFrom(...names), fc.nat(9), fc.nat(3))
    .map(([source, destination, cost, rate]) => link(source, destination, cost, rate + 1)),
  { maxLength: 50, size: 'max' },
)

/** What walking over every link again and again finds (Bellman and Ford). */
function cheapestCosts(links: readonly ReturnType<typeof link>[], from: string) {
  const costs = new Map([[from, 0]])
  for (const _ of names) {
    for (const { source, destination, cost } of links) {
      const known = costs.get(source)
      if (known === undefined) continue
      costs.set(destination, Math.min(known + cost, costs.get(destination) ?? Infinity))
    }
  }
  return costs
}

describe('cheapestPaths', () => {
  it('finds what an exhaustive search finds, by ways that exist', () => {
    fc.assert(
      fc.property(someLinks, (links) => {
        const paths = cheapestPaths(links, 'a')
        const costs = [...paths].map(([name, { cost }]) => [name, cost] as const)
        expect(new Map(costs)).toEqual(cheapestCosts(links, 'a'))
        for (const [name, { cost, machines }] of paths) {
          expect([machines[0], machines.at(-1)]).toEqual(['a', name])
          let walked = 0
          for (const [i, source] of machines.slice(0, -1).entries()) {
            const ways = links.filter(
              (one) => one.source === source && one.destination === machines[i + 1],
            )
            walked += Math.min(...ways.map((way) => way.cost))
          }
          expect(walked).toBe(cost)
        }
      }),
    )
  })

  it('does not depend on the order of links', () => {
    const twice = someLinks.chain((links) =>
      fc.tuple(
        fc.constant(links),
        fc.shuffledSubarray(links, { minLength: links.length, maxLength: links.length }),
      ),
    )
    fc.assert(
      fc.property(twice, ([links, other]) => {
        // Maps are equal whatever the order of what they hold.
        expect(cheapestPaths(other, 'a')).toEqual(cheapestPaths(links, 'a'))
      }),
    )
  })

  it('takes fewer links where the cost is the same, and tells the slowest of them', () => {
    const links = [
      link('s', 'b', 1, 100),
      link('b', 'c', 1, 50),
      link('s', 'c', 2, 10),
      link('c', 'd', 0, 20),
    ]
    const paths = cheapestPaths(links, 's')
    expect(paths.get('c')).toMatchObject({ machines: ['s', 'c'], bandwidthBytesPerSecond: 10 })
    expect(paths.get('d')).toMatchObject({ cost: 2, machines: ['s', 'c', 'd'] })
    expect(paths.get('b')).toMatchObject({ cost: 1, bandwidthBytesPerSecond: 100 })
  })

  it('goes one way only, and leaves out what it cannot reach', () => {
    const paths = cheapestPaths([link('b', 'a', 1), link('c', 'd', 1)], 'a')
    expect([...paths.keys()]).toEqual(['a'])
  })

  it.each([-1, NaN])('refuses a link that costs %d', (cost) => {
    expect(() => cheapestPaths([link('a', 'b', cost)], 'a')).toThrow(/a -> b costs/)
  })
})
