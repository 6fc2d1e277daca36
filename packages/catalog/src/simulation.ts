/**
 * What ESCDR's placement and choice of destination gain over chance and over load alone, in a
 * simulated data centre.
 *
 * @module
 */
import { balanceOf, Tally } from './simulation-tally.ts'
import type { PolicyResult } from './simulation-tally.ts'
import { Cluster, NOWHERE } from './simulation-cluster.ts'
import type { Policy, SimulationOptions } from './simulation-options.ts'
import { checkSimulation } from './simulation-options.ts'
import { simulationRandom } from './simulation-random.ts'
import type { Chooser } from './simulation-strategy.ts'
import { placementOf, routingOf } from './simulation-strategy.ts'
import type { Workload } from './simulation-workload.ts'
import { drawWorkload, Event } from './simulation-workload.ts'

export const SIMULATION_SCHEMA = 'godwit.simulation/1'

export interface Simulation {
  readonly schema: typeof SIMULATION_SCHEMA
  readonly options: SimulationOptions
  readonly policies: readonly PolicyResult[]
}

/**
 * Plays the same guests and events under every policy. The same options give the same result.
 *
 * @throws {GodwitError} `USAGE` for options that make no sense, or are too large
 */
export function simulate(options: SimulationOptions): Simulation {
  checkSimulation(options)
  const workload = drawWorkload(options)
  const policies = options.policies.map((policy) => playPolicy(workload, policy))
  return { schema: SIMULATION_SCHEMA, options, policies }
}

/** Behind the streams of the workload. */
const Stream = { Placement: 101, Routing: 102 } as const

function playPolicy(workload: Workload, policy: Policy): PolicyResult {
  const { seed } = workload.options
  const play = new Play(workload, {
    place: placementOf(policy.placement, simulationRandom(seed, Stream.Placement)),
    route: routingOf(policy.routing, simulationRandom(seed, Stream.Routing)),
  })
  play.run()
  return play.tally.result(policy, play.cluster)
}

/** Who chooses. */
export interface Choosers {
  readonly place: Chooser
  readonly route: Chooser
}

/** One run through the events. */
export class Play {
  readonly cluster: Cluster
  readonly tally: Tally
  readonly #workload: Workload
  readonly #choosers: Choosers

  constructor(workload: Workload, choosers: Choosers) {
    this.cluster = new Cluster(workload)
    this.tally = new Tally(workload)
    this.#workload = workload
    this.#choosers = choosers
  }

  /** `after` hears of every event when it is done. */
  run(after: () => void = () => {}): void {
    const { eventKind, eventArgument, eventDemand, options } = this.#workload
    for (let i = 0; i < eventKind.length; i++) {
      if (i === options.vms) this.tally.filled = balanceOf(this.cluster)
      this.#handle(eventKind[i]!, eventArgument[i]!, eventDemand[i]!)
      after()
    }
  }

  #handle(kind: number, argument: number, demand: number): void {
    switch (kind) {
      case Event.Launch:
        return this.#launch(argument)
      case Event.Exit:
        // One that was refused has nothing to end.
        if (this.cluster.machineOf[argument] !== NOWHERE) this.cluster.take(argument)
        return
      case Event.Surge:
        return this.#surge(argument, demand)
      case Event.Evacuate:
        return this.#evacuate(argument)
    }
  }

  #launch(vm: number): void {
    const machine = this.#choosers.place(this.cluster, vm)
    this.tally.launches++
    if (machine === NOWHERE) this.tally.refused++
    else this.cluster.put(vm, machine)
  }

  /** A guest that takes its machine over the load has to leave it. */
  #surge(vm: number, demand: number): void {
    const { cluster, tally } = this
    const machine = cluster.machineOf[vm]!
    if (machine === NOWHERE) return
    cluster.changeDemand(vm, demand)
    if (cluster.load[machine]! > cluster.loadMax && this.#migrate(vm)) tally.rebalanced++
  }

  /** All guests of a machine go elsewhere, the oldest first. */
  #evacuate(machine: number): void {
    const { cluster } = this
    cluster.close(machine)
    for (const vm of cluster.guests[machine]!.toSorted((a, b) => a - b)) {
      if (this.#migrate(vm)) this.tally.evacuated++
    }
    cluster.open()
  }

  #migrate(vm: number): boolean {
    const { cluster, tally } = this
    const source = cluster.machineOf[vm]!
    const destination = this.#choosers.route(cluster, vm)
    if (destination === NOWHERE) {
      tally.withoutDestination++
      return false
    }
    const pair = this.#workload.vmPair[vm]!
    tally.migrate(vm, {
      hasSibling: cluster.countsOf(pair)[destination]! > 0,
      isInRack: cluster.rackOf(source) === cluster.rackOf(destination),
      pathCost: cluster.pathCost(source, destination),
    })
    cluster.take(vm)
    cluster.put(vm, destination)
    return true
  }
}
