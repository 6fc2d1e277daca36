/**
 * The machines of a simulation, and the guests on them, indexed so that choices need not look at
 * every machine.
 *
 * @module
 */
import { LoadOrder } from './load-order.ts'
import type { SimulationOptions } from './simulation-options.ts'
import type { Workload } from './simulation-workload.ts'
import { DEMAND_PER_CPU } from './simulation-workload.ts'

/** Where a guest is that is nowhere. */
export const NOWHERE = -1

/** Machines are numbered rack by rack, pod by pod. */
export class Cluster {
  readonly workload: Workload
  readonly options: SimulationOptions
  /** Demand of all guests on a machine, in hundredths of a CPU. */
  readonly load: Float64Array
  readonly capacity: number
  /** What `options.loadMax` is of it. */
  readonly loadMax: number
  readonly freeBytes: Float64Array
  /** Machines that take guests: all but the one that is being emptied. */
  readonly order: LoadOrder
  /** By guest, as it is now. */
  readonly demand: Int32Array
  /** By guest. */
  readonly machineOf: Int32Array
  /** By machine, in no order. */
  readonly guests: readonly number[][]
  /** By guest: where in `guests` of its machine. */
  readonly #slotOf: Uint32Array
  /** By pair, then machine: how many guests of the pair it has. */
  readonly #counts: readonly Uint32Array[]
  /** By pair: how many machines that take guests have 0, 1, 2... guests of the pair. */
  readonly #histograms: readonly number[][]
  #closed: number = NOWHERE

  constructor(workload: Workload) {
    const { options, vmPair, pairShare } = workload
    const { machines } = options
    this.workload = workload
    this.options = options
    this.load = new Float64Array(machines)
    this.capacity = Math.floor(options.machineCpus * DEMAND_PER_CPU)
    this.loadMax = Math.floor(this.capacity * options.loadMax)
    this.demand = workload.vmDemand.slice()
    this.freeBytes = new Float64Array(machines).fill(options.machineMemoryBytes)
    this.order = new LoadOrder(this)
    this.machineOf = new Int32Array(vmPair.length).fill(NOWHERE)
    this.#slotOf = new Uint32Array(vmPair.length)
    this.guests = Array.from({ length: machines }, () => [])
    this.#counts = pairShare.map(() => new Uint32Array(machines))
    this.#histograms = pairShare.map(() => [machines])
    for (let machine = 0; machine < machines; machine++) this.order.add(machine)
  }

  /** How many guests of `pair` each machine has; borrowed. */
  countsOf(pair: number): Uint32Array {
    return this.#counts[pair]!
  }

  /** The fewest guests of `pair` that a machine that takes guests has. */
  fewestOf(pair: number): number {
    return this.#histograms[pair]!.findIndex((count) => count > 0)
  }

  /** Whether `machine` takes guests, has memory for this one, and stays within the load. */
  fits(machine: number, vm: number): boolean {
    return (
      machine !== this.#closed &&
      this.freeBytes[machine]! >= this.workload.vmMemoryBytes[vm]! &&
      this.load[machine]! + this.demand[vm]! <= this.loadMax
    )
  }

  put(vm: number, machine: number): void {
    this.machineOf[vm] = machine
    this.#slotOf[vm] = this.guests[machine]!.push(vm) - 1
    this.#change(vm, machine, 1)
  }

  take(vm: number): void {
    const machine = this.machineOf[vm]!
    const guests = this.guests[machine]!
    // The last one takes its place.
    const last = guests.pop()!
    if (last !== vm) {
      guests[this.#slotOf[vm]!] = last
      this.#slotOf[last] = this.#slotOf[vm]!
    }
    this.machineOf[vm] = NOWHERE
    this.#change(vm, machine, -1)
  }

  /** A guest's demand is `demand` from here on. */
  changeDemand(vm: number, demand: number): void {
    const machine = this.machineOf[vm]!
    const index = this.order.indexOf(machine)
    this.load[machine]! += demand - this.demand[vm]!
    this.demand[vm] = demand
    this.order.settle(index)
  }

  /** From here on `machine` takes no guests. */
  close(machine: number): void {
    this.#closed = machine
    this.order.remove(machine)
    this.#countMachine(machine, -1)
  }

  /** The closed machine takes guests again. */
  open(): void {
    const machine = this.#closed
    this.#closed = NOWHERE
    this.order.add(machine)
    this.#countMachine(machine, 1)
  }

  /** The cheapest path in a tree of racks and pods. */
  pathCost(source: number, destination: number): number {
    const { linkCosts } = this.options
    const [toRack, toPod, toCore] = linkCosts
    if (source === destination) return 0
    if (this.rackOf(source) === this.rackOf(destination)) return 2 * toRack
    if (this.podOf(source) === this.podOf(destination)) return 2 * (toRack + toPod)
    return 2 * (toRack + toPod + toCore)
  }

  rackOf(machine: number): number {
    return Math.floor(machine / this.options.machinesPerRack)
  }

  podOf(machine: number): number {
    return Math.floor(this.rackOf(machine) / this.options.racksPerPod)
  }

  #change(vm: number, machine: number, sign: 1 | -1): void {
    const { vmPair, vmMemoryBytes } = this.workload
    const pair = vmPair[vm]!
    const counts = this.#counts[pair]!
    const isOpen = machine !== this.#closed
    const index = isOpen ? this.order.indexOf(machine) : NOWHERE
    if (isOpen) {
      const histogram = this.#histograms[pair]!
      const count = counts[machine]! + sign
      histogram[count - sign]!--
      histogram[count] = (histogram[count] ?? 0) + 1
    }
    counts[machine]! += sign
    this.freeBytes[machine]! -= sign * vmMemoryBytes[vm]!
    this.load[machine]! += sign * this.demand[vm]!
    if (isOpen) this.order.settle(index)
  }

  #countMachine(machine: number, sign: 1 | -1): void {
    this.#histograms.forEach((histogram, pair) => {
      histogram[this.#counts[pair]![machine]!]! += sign
    })
  }
}
