/**
 * The choices of a simulation: ESCDR's as `placement.ts` and `route.ts` make them, and what they
 * are compared with.
 *
 * @module
 */
import { isBefore } from './load-order.ts'
import type { Cluster } from './simulation-cluster.ts'
import { NOWHERE } from './simulation-cluster.ts'
import type { Strategy } from './simulation-options.ts'
import type { Random } from './simulation-random.ts'
import { below } from './simulation-random.ts'

/** Chooses a machine for a guest, or {@link NOWHERE}. */
export type Chooser = (cluster: Cluster, vm: number) => number

/** How a strategy places a guest that is nowhere. */
export function placementOf(strategy: Strategy, random: Random): Chooser {
  switch (strategy) {
    case 'escdr':
      return placeApart
    case 'least-loaded':
      return chooseLeastLoaded
    case 'random':
      return randomChooser(random)
  }
}

/** How a strategy chooses the destination of a guest; its own machine is none. */
export function routingOf(strategy: Strategy, random: Random): Chooser {
  switch (strategy) {
    case 'escdr':
      return routeToSibling
    case 'least-loaded':
      return chooseLeastLoaded
    case 'random':
      return randomChooser(random)
  }
}

const isPossible = (cluster: Cluster, machine: number, vm: number): boolean =>
  machine !== cluster.machineOf[vm] && cluster.fits(machine, vm)

const chooseLeastLoaded: Chooser = (cluster, vm) =>
  cluster.order.first((machine) => isPossible(cluster, machine, vm))

/** Draws machines until one has room; one full machine after another leads to the next in line. */
function randomChooser(random: Random): Chooser {
  return (cluster, vm) => {
    const { machines } = cluster.options
    for (let draw = 0; draw < 32; draw++) {
      const machine = below(random, machines)
      if (isPossible(cluster, machine, vm)) return machine
    }
    const start = below(random, machines)
    for (let i = 0; i < machines; i++) {
      const machine = (start + i) % machines
      if (isPossible(cluster, machine, vm)) return machine
    }
    return NOWHERE
  }
}

/** Fewest of the pair, then load, free memory and number: the first by load with the fewest. */
const placeApart: Chooser = (cluster, vm) => {
  const { machines, count } = cluster.order
  const pair = cluster.workload.vmPair[vm]!
  const counts = cluster.countsOf(pair)
  const fewest = cluster.fewestOf(pair)
  let chosen = NOWHERE
  let chosenCount = Infinity
  for (let i = 0; i < count; i++) {
    const machine = machines[i]!
    if (counts[machine]! >= chosenCount || !cluster.fits(machine, vm)) continue
    chosen = machine
    chosenCount = counts[machine]!
    if (chosenCount === fewest) break
  }
  return chosen
}

/**
 * A machine with a sibling first, then the cost of the path, then load, free memory and number.
 * Paths cost the same to all machines of the rack, more to those of the pod, most to all others.
 */
const routeToSibling: Chooser = (cluster, vm) => {
  const { machinesPerRack, racksPerPod } = cluster.options
  const source = cluster.machineOf[vm]!
  const counts = cluster.countsOf(cluster.workload.vmPair[vm]!)
  const machinesPerPod = machinesPerRack * racksPerPod
  const rack = cluster.rackOf(source) * machinesPerRack
  const pod = cluster.podOf(source) * machinesPerPod
  const possible = (machine: number): boolean => isPossible(cluster, machine, vm)
  const withSibling = (machine: number): boolean => counts[machine]! > 0 && possible(machine)
  for (const fits of [withSibling, possible]) {
    let chosen = bestOf(cluster, rack, machinesPerRack, fits)
    if (chosen === NOWHERE) chosen = bestOf(cluster, pod, machinesPerPod, fits)
    if (chosen === NOWHERE) chosen = cluster.order.first(fits)
    if (chosen !== NOWHERE) return chosen
  }
  return NOWHERE
}

/** The first by load of the machines from `start` on. */
function bestOf(
  cluster: Cluster,
  start: number,
  count: number,
  fits: (machine: number) => boolean,
): number {
  const end = Math.min(start + count, cluster.options.machines)
  let best = NOWHERE
  for (let machine = start; machine < end; machine++) {
    if (!fits(machine)) continue
    if (best === NOWHERE || isBefore(cluster, machine, best)) best = machine
  }
  return best
}
