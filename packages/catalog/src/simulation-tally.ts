/**
 * What a simulation counts, and the figures that are made of it.
 *
 * @module
 */
import type { Cluster } from './simulation-cluster.ts'
import type { Policy } from './simulation-options.ts'
import { STATIC_BYTES_MEASURED } from './simulation-options.ts'
import type { Workload } from './simulation-workload.ts'

/** How even load is, over the machines. */
export interface Balance {
  /** Of a machine's CPUs. */
  readonly loadMean: number
  readonly loadMax: number
  /** Standard deviation over mean. */
  readonly loadVariation: number
  readonly memoryMean: number
  readonly memoryVariation: number
}

export interface PolicyResult extends Policy {
  readonly launches: number
  /** Launches that no machine had room for. */
  readonly refused: number
  readonly migrations: number
  /** Of the migrations: from machines over the load. */
  readonly rebalanced: number
  /** Of the migrations: from machines that were emptied. */
  readonly evacuated: number
  /** Migrations that were wanted, but had no destination. */
  readonly withoutDestination: number
  /** Migrations that found a guest of their pair at the destination. */
  readonly withSibling: number
  readonly siblingShare: number
  /** Non-zero memory of all guests that migrated. */
  readonly movedBytes: number
  /** Of it, what a sibling had, if its share is the same for guests of all sizes. */
  readonly savedBytes: number
  readonly savedShare: number
  /** The same, if no guest shares more bytes than the measured one did. */
  readonly savedBytesCapped: number
  readonly savedShareCapped: number
  /** Migrations that stayed within their rack. */
  readonly rackShare: number
  readonly pathCostMean: number
  /** Bytes that still travel, each times the cost of its path. */
  readonly trafficCost: number
  /** After the launches. */
  readonly filled: Balance
  /** After everything. */
  readonly end: Balance
  /** Over guests: the share of machines that has their pair. */
  readonly coverage: number
  /** By pair, the most common first. */
  readonly pairs: readonly PairResult[]
}

export interface PairResult {
  /** Among the guests. */
  readonly share: number
  readonly migrations: number
  readonly withSibling: number
  /** That have it in the end. */
  readonly machines: number
}

/** What there is to say of a migration. */
export interface Move {
  readonly hasSibling: boolean
  readonly isInRack: boolean
  readonly pathCost: number
}

export class Tally {
  readonly #workload: Workload
  launches: number = 0
  refused: number = 0
  rebalanced: number = 0
  evacuated: number = 0
  withoutDestination: number = 0
  filled: Balance | undefined
  #movedBytes = 0
  #savedBytes = 0
  #savedBytesCapped = 0
  #inRack = 0
  #pathCost = 0
  #trafficCost = 0
  readonly #migrations: Uint32Array
  readonly #withSibling: Uint32Array

  constructor(workload: Workload) {
    this.#workload = workload
    this.#migrations = new Uint32Array(workload.pairShare.length)
    this.#withSibling = new Uint32Array(workload.pairShare.length)
  }

  /** A guest migrates. */
  migrate(vm: number, { hasSibling, isInRack, pathCost }: Move): void {
    const { options, vmPair, vmMemoryBytes, pairStatic } = this.#workload
    const pair = vmPair[vm]!
    const bytes = vmMemoryBytes[vm]! * (1 - options.zeroShare)
    const saved = hasSibling ? bytes * pairStatic[pair]! : 0
    this.#migrations[pair]!++
    if (hasSibling) this.#withSibling[pair]!++
    this.#movedBytes += bytes
    this.#savedBytes += saved
    this.#savedBytesCapped += Math.min(saved, STATIC_BYTES_MEASURED)
    if (isInRack) this.#inRack++
    this.#pathCost += pathCost
    this.#trafficCost += (bytes - saved) * pathCost
  }

  result(policy: Policy, cluster: Cluster): PolicyResult {
    const { pairShare } = this.#workload
    const migrations = sum(this.#migrations)
    const withSibling = sum(this.#withSibling)
    const end = balanceOf(cluster)
    const order = pairShare.map((_, pair) => pair).sort((a, b) => pairShare[b]! - pairShare[a]!)
    return {
      ...policy,
      launches: this.launches,
      refused: this.refused,
      migrations,
      rebalanced: this.rebalanced,
      evacuated: this.evacuated,
      withoutDestination: this.withoutDestination,
      withSibling,
      siblingShare: ratio(withSibling, migrations),
      movedBytes: Math.round(this.#movedBytes),
      savedBytes: Math.round(this.#savedBytes),
      savedShare: ratio(this.#savedBytes, this.#movedBytes),
      savedBytesCapped: Math.round(this.#savedBytesCapped),
      savedShareCapped: ratio(this.#savedBytesCapped, this.#movedBytes),
      rackShare: ratio(this.#inRack, migrations),
      pathCostMean: ratio(this.#pathCost, migrations),
      trafficCost: this.#trafficCost,
      filled: this.filled ?? end,
      end,
      coverage: coverageOf(cluster),
      pairs: order.map((pair) => ({
        share: pairShare[pair]!,
        migrations: this.#migrations[pair]!,
        withSibling: this.#withSibling[pair]!,
        machines: machinesWith(cluster, pair),
      })),
    }
  }
}

export function balanceOf(cluster: Cluster): Balance {
  const { load, capacity, freeBytes, options } = cluster
  const loads = Float64Array.from(load, (one) => one / capacity)
  const memory = freeBytes.map((free) => 1 - free / options.machineMemoryBytes)
  return {
    loadMean: mean(loads),
    loadMax: loads.reduce((most, one) => Math.max(most, one), 0),
    loadVariation: variation(loads),
    memoryMean: mean(memory),
    memoryVariation: variation(memory),
  }
}

/** Each pair's share of machines, weighted with its guests. */
function coverageOf(cluster: Cluster): number {
  const { options, workload } = cluster
  let guests = 0
  let covered = 0
  for (let pair = 0; pair < workload.pairShare.length; pair++) {
    const ofPair = sum(cluster.countsOf(pair))
    guests += ofPair
    covered += ofPair * (machinesWith(cluster, pair) / options.machines)
  }
  return ratio(covered, guests)
}

function machinesWith(cluster: Cluster, pair: number): number {
  return cluster.countsOf(pair).reduce((machines, count) => machines + Number(count > 0), 0)
}

function sum(values: Uint32Array | Float64Array): number {
  let total = 0
  for (const value of values) total += value
  return total
}

function mean(values: Float64Array): number {
  return sum(values) / values.length
}

function variation(values: Float64Array): number {
  const middle = mean(values)
  const squares = values.map((value) => (value - middle) ** 2)
  return ratio(Math.sqrt(mean(squares)), middle)
}

/** 0 where there is nothing to share. */
function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}
