import { GIB } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rankForPlacement } from './placement.ts'
import { rankForRoute } from './route.ts'
import type { Path } from './shortest-path.ts'
import { cheapestPaths } from './shortest-path.ts'
import type { Cluster } from './simulation-cluster.ts'
import { NOWHERE } from './simulation-cluster.ts'
import type { SimulationOptions } from './simulation-options.ts'
import { STRATEGIES, checkSimulation, simulationDefaults } from './simulation-options.ts'
import { simulationRandom, zipfShares } from './simulation-random.ts'
import type { Chooser } from './simulation-strategy.ts'
import { placementOf, routingOf } from './simulation-strategy.ts'
import { drawWorkload } from './simulation-workload.ts'
import { Play, simulate } from './simulation.ts'

/** Full enough that guests are refused, small enough for a reference that looks at everything. */
const small: SimulationOptions = {
  ...simulationDefaults,
  machines: 24,
  vms: 150,
  machineMemoryBytes: 32 * GIB,
  machineCpus: 16,
  machinesPerRack: 4,
  racksPerPod: 3,
  operatingSystems: 5,
  hypervisors: 2,
  evacuate: 0.5,
}

const someOptions = fc
  .record({
    seed: fc.nat(1e6),
    machines: fc.integer({ min: 2, max: 30 }),
    vms: fc.integer({ min: 60, max: 200 }),
    machinesPerRack: fc.integer({ min: 1, max: 8 }),
    racksPerPod: fc.integer({ min: 1, max: 4 }),
    operatingSystems: fc.integer({ min: 1, max: 6 }),
    operatingSystemZipf: fc.constantFrom(0, 1, 2),
    loadMax: fc.constantFrom(0.5, 0.8, 1),
  })
  .map((facts): SimulationOptions => ({ ...small, ...facts }))

const strategy = fc.constantFrom(...STRATEGIES)

const nameOf = (machine: number): string => `m${String(machine).padStart(6, '0')}`

/** Machines as the catalog would tell of them, counted anew from where each guest is. */
function candidates(cluster: Cluster, vm: number) {
  const { workload, machineOf, load, freeBytes, capacity } = cluster
  const guests = Map.groupBy(
    [...machineOf.keys()].filter((one) => workload.vmPair[one] === workload.vmPair[vm]),
    (one) => machineOf[one]!,
  )
  const open = new Set(cluster.order.machines.subarray(0, cluster.order.count))
  return Array.from(load, (demand, machine) => {
    const siblings = guests.get(machine)?.length ?? 0
    return {
      machine: nameOf(machine),
      address: null,
      freeBytes: freeBytes[machine]!,
      load: demand / capacity,
      ofPair: siblings,
      siblings,
      images: 0,
      isLive: open.has(machine),
    }
  })
}

function needOf(cluster: Cluster, vm: number) {
  const memoryBytes = cluster.workload.vmMemoryBytes[vm]!
  return { memoryBytes, loadMax: (cluster.loadMax - cluster.demand[vm]!) / cluster.capacity }
}

const numberOf = (one: { machine: string } | undefined): number =>
  one === undefined ? NOWHERE : Number(one.machine.slice(1))

/** The tree of racks and pods, link by link. */
function treeLinks({ machines, machinesPerRack, racksPerPod, linkCosts }: SimulationOptions) {
  const links = new Map<string, [string, string, number]>()
  for (let machine = 0; machine < machines; machine++) {
    const rack = Math.floor(machine / machinesPerRack)
    const pod = Math.floor(rack / racksPerPod)
    links.set(nameOf(machine), [nameOf(machine), `rack${rack}`, linkCosts[0]])
    links.set(`rack${rack}`, [`rack${rack}`, `pod${pod}`, linkCosts[1]])
    links.set(`pod${pod}`, [`pod${pod}`, 'core', linkCosts[2]])
  }
  return [...links.values()].flatMap(([source, destination, cost]) => [
    { source, destination, cost, bandwidthBytesPerSecond: 1 },
    { source: destination, destination: source, cost, bandwidthBytesPerSecond: 1 },
  ])
}

/** ESCDR by the functions that `godwit catalog` uses, over all machines and links. */
function reference(options: SimulationOptions): { place: Chooser; route: Chooser } {
  const links = treeLinks(options)
  const known = new Map<string, ReadonlyMap<string, Path>>()
  const pathsFrom = (source: string): ReadonlyMap<string, Path> => {
    const paths = known.get(source) ?? cheapestPaths(links, source)
    known.set(source, paths)
    return paths
  }
  return {
    place: (cluster, vm) =>
      numberOf(rankForPlacement(candidates(cluster, vm), needOf(cluster, vm)).ranked[0]),
    route: (cluster, vm) => {
      const source = nameOf(cluster.machineOf[vm]!)
      const paths = pathsFrom(source)
      const destinations = candidates(cluster, vm).map((candidate) => ({
        ...candidate,
        path: paths.get(candidate.machine),
      }))
      // The machine that is being emptied is closed and the source; either keeps it out.
      const [best] = rankForRoute(destinations, source, needOf(cluster, vm)).ranked
      const chosen = numberOf(best)
      const cost =
        chosen === NOWHERE ? undefined : cluster.pathCost(numberOf({ machine: source }), chosen)
      expect(cost).toBe(best?.path?.cost)
      return chosen
    },
  }
}

describe('the simulation', () => {
  it('chooses as `place` and `route` do over all machines and links', () => {
    let choices = 0
    const both =
      (one: Chooser, other: Chooser): Chooser =>
      (cluster, vm) => {
        const choice = one(cluster, vm)
        expect(choice).toBe(other(cluster, vm))
        choices++
        return choice
      }
    fc.assert(
      fc.property(someOptions, (options) => {
        const random = simulationRandom(options.seed, 1)
        const { place, route } = reference(options)
        const choosers = {
          place: both(placementOf('escdr', random), place),
          route: both(routingOf('escdr', random), route),
        }
        new Play(drawWorkload(options), choosers).run()
      }),
      { numRuns: 12 },
    )
    expect(choices).toBeGreaterThan(1000)
  })

  it('keeps every guest on one machine, and every machine within its memory and load', () => {
    fc.assert(
      fc.property(someOptions, strategy, strategy, (options, placement, routing) => {
        const workload = drawWorkload(options)
        const play = new Play(workload, {
          place: placementOf(placement, simulationRandom(options.seed, 1)),
          route: routingOf(routing, simulationRandom(options.seed, 2)),
        })
        const { cluster, tally } = play
        play.run(() => expectSound(cluster, tally.withoutDestination > 0))
        expect(cluster.order.count).toBe(options.machines)
      }),
      { numRuns: 6 },
    )
  })

  it('is the same for the same seed, and another for another', () => {
    const first = simulate(small)
    expect(simulate(small)).toEqual(first)
    expect(simulate({ ...small, seed: 2 }).policies).not.toEqual(first.policies)
  })

  it('shows every policy the same, whichever are played beside it', () => {
    const { policies } = simulate(small)
    for (const { placement, routing } of small.policies) {
      const [alone] = simulate({ ...small, policies: [{ placement, routing }] }).policies
      expect(policies).toContainEqual(alone)
    }
  })

  it('counts bytes as the shares say', () => {
    const { policies } = simulate({
      ...small,
      operatingSystems: 1,
      hypervisors: 1,
      zeroShare: 0.5,
      staticShare: [0.25, 0.25],
      sizes: [{ memoryBytes: GIB, cpus: 1, weight: 1 }],
      policies: [{ placement: 'escdr', routing: 'escdr' }],
    })
    const [result] = policies
    expect(result!.migrations).toBe(result!.rebalanced + result!.evacuated)
    expect(result!.migrations).toBeGreaterThan(20)
    expect(result!.siblingShare).toBe(1)
    expect(result!.movedBytes).toBe(result!.migrations * 0.5 * GIB)
    expect(result!.savedBytes).toBe(result!.migrations * 0.125 * GIB)
    expect(result!.savedShareCapped).toBeLessThan(0.25)
  })

  it('finds no sibling where every guest is of a pair of its own', () => {
    const options = { ...small, vms: 2, machines: 4, operatingSystems: 1000, hypervisors: 1 }
    const even = { ...options, operatingSystemZipf: 0, churn: 0, surge: 0, evacuate: 4 }
    for (const { migrations, withSibling, savedBytes } of simulate(even).policies) {
      expect(migrations).toBeGreaterThan(0)
      expect([withSibling, savedBytes]).toEqual([0, 0])
    }
  })
})

/** What holds after every event; a surge that finds no destination leaves a machine too busy. */
function expectSound(cluster: Cluster, mayBeBusy: boolean): void {
  const { machineOf, guests, workload, options, freeBytes, load, demand } = cluster
  const listed = guests.flatMap((here, machine) => here.map((vm) => [vm, machine] as const))
  const placed = [...machineOf.entries()].filter(([, machine]) => machine !== NOWHERE)
  expect(listed.toSorted((a, b) => a[0] - b[0])).toEqual(placed)
  const sumOf = (values: ArrayLike<number>) =>
    guests.map((here) => here.reduce((sum, vm) => sum + values[vm]!, 0))
  const used = sumOf(workload.vmMemoryBytes)
  const busy = sumOf(demand)
  expect([...load]).toEqual(busy)
  const fewest = workload.pairShare.map((_, pair) => Math.min(...cluster.countsOf(pair)))
  expect(workload.pairShare.map((_, pair) => cluster.fewestOf(pair))).toEqual(fewest)
  expect([...freeBytes]).toEqual(used.map((bytes) => options.machineMemoryBytes - bytes))
  expect(Math.min(...freeBytes)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...busy)).toBeLessThanOrEqual(mayBeBusy ? Infinity : cluster.loadMax)
}

describe('checkSimulation', () => {
  it.each([
    [{ machines: 1 }, /machines: 1 is less than 2/],
    [{ machines: 2.5 }, /machines: 2.5 is not a whole number/],
    [{ vms: 1e9 }, /vms: 1000000000 is more than/],
    [{ operatingSystems: 100, hypervisors: 100 }, /pairs: 10000 is more than 1000/],
    [{ machines: 50_000, operatingSystems: 1000, hypervisors: 1 }, /pairs x machines/],
    [{ linkCosts: [1, 0, 1] as const }, /cost of a link: 0 is less/],
    [{ staticShare: [0.7, 0.6] as const }, /static share goes from 0.7 to 0.6/],
    [{ zeroShare: 1.1 }, /zero share: 1.1 is more than 1/],
    [{ loadMax: NaN }, /load max: NaN is less/],
    [{ sizes: [] }, /sizes of guests: 0 is less than 1/],
    [{ sizes: [{ memoryBytes: GIB, cpus: 1, weight: 0 }] }, /weight 0/],
    [{ policies: [] }, /policies: 0 is less than 1/],
  ])('refuses %j', (facts, text) => {
    expect(() => checkSimulation({ ...simulationDefaults, ...facts })).toThrow(text)
  })
})

it('shares of Zipf add up, and fall as they should', () => {
  const shares = zipfShares(4, 1)
  expect(shares.reduce((sum, share) => sum + share)).toBeCloseTo(1)
  expect(shares[0]! / shares[3]!).toBeCloseTo(4)
  expect(zipfShares(4, 0)).toEqual([0.25, 0.25, 0.25, 0.25])
})
