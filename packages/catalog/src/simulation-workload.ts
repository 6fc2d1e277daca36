/**
 * What happens in a simulation: the guests that there will be, and the events, drawn once, so that
 * all policies meet the same.
 *
 * @module
 */
import type { GuestSize, SimulationOptions } from './simulation-options.ts'
import type { Random } from './simulation-random.ts'
import { below, shuffle, simulationRandom, weighted, zipfShares } from './simulation-random.ts'

export const Event = {
  /** The argument is the guest that starts. */
  Launch: 0,
  /** The argument is the guest that exits. */
  Exit: 1,
  /** The argument is the guest whose demand changes. */
  Surge: 2,
  /** The argument is the machine that is emptied. */
  Evacuate: 3,
} as const

/** Loads and demands are counted in hundredths of a CPU, so that sums are exact. */
export const DEMAND_PER_CPU = 100

/** Guests are numbered in the order in which they start. */
export interface Workload {
  readonly options: SimulationOptions
  readonly vmPair: Uint16Array
  readonly vmMemoryBytes: Float64Array
  /** When it starts. */
  readonly vmDemand: Int32Array
  readonly eventKind: Uint8Array
  readonly eventArgument: Int32Array
  /** Of a surge: the guest's demand from then on. */
  readonly eventDemand: Int32Array
  /** How common a pair is among the guests. */
  readonly pairShare: readonly number[]
  /** Static pages among a guest's non-zero pages, by pair. */
  readonly pairStatic: Float64Array
}

/** Streams of random numbers. */
const Stream = { Guests: 1, Events: 2, Pairs: 3 } as const

export function drawWorkload(options: SimulationOptions): Workload {
  const { seed, vms, churn, operatingSystems, hypervisors } = options
  const launches = vms + Math.round(vms * churn)
  const osShares = zipfShares(operatingSystems, options.operatingSystemZipf)
  const hypervisorShares = zipfShares(hypervisors, options.hypervisorZipf)
  const pairRandom = simulationRandom(seed, Stream.Pairs)
  const [low, high] = options.staticShare
  const guests = drawGuests(options, launches, osShares, hypervisorShares)
  return {
    options,
    ...guests,
    ...drawEvents(options, guests.vmSize),
    pairShare: osShares.flatMap((os) => hypervisorShares.map((share) => os * share)),
    pairStatic: Float64Array.from(
      { length: operatingSystems * hypervisors },
      () => low + (high - low) * pairRandom(),
    ),
  }
}

function drawGuests(
  options: SimulationOptions,
  count: number,
  osShares: readonly number[],
  hypervisorShares: readonly number[],
): Pick<Workload, 'vmPair' | 'vmMemoryBytes' | 'vmDemand'> & { vmSize: Uint8Array } {
  const random = simulationRandom(options.seed, Stream.Guests)
  const drawOs = weighted(osShares, random)
  const drawHypervisor = weighted(hypervisorShares, random)
  const drawSize = weighted(
    options.sizes.map(({ weight }) => weight),
    random,
  )
  const vmPair = new Uint16Array(count)
  const vmSize = new Uint8Array(count)
  const vmMemoryBytes = new Float64Array(count)
  const vmDemand = new Int32Array(count)
  for (let vm = 0; vm < count; vm++) {
    vmPair[vm] = drawOs() * hypervisorShares.length + drawHypervisor()
    vmSize[vm] = drawSize()
    const size = options.sizes[vmSize[vm]!]!
    vmMemoryBytes[vm] = size.memoryBytes
    vmDemand[vm] = drawDemand(size, random)
  }
  return { vmPair, vmSize, vmMemoryBytes, vmDemand }
}

/** Anything from idle to all of its CPUs. */
function drawDemand({ cpus }: GuestSize, random: Random): number {
  return below(random, Math.floor(cpus * DEMAND_PER_CPU) + 1)
}

/** First all launches; then exits (each followed by a launch), surges and evacuations mixed. */
function drawEvents(
  options: SimulationOptions,
  vmSize: Uint8Array,
): Pick<Workload, 'eventKind' | 'eventArgument' | 'eventDemand'> {
  const { seed, vms, machines, surge, evacuate } = options
  const random = simulationRandom(seed, Stream.Events)
  const exits = vmSize.length - vms
  const surges = Math.round(vms * surge)
  const evacuations = Math.round(machines * evacuate)
  const mixed = new Uint8Array(exits + surges + evacuations)
  mixed.fill(Event.Exit, 0, exits)
  mixed.fill(Event.Surge, exits, exits + surges)
  mixed.fill(Event.Evacuate, exits + surges)
  shuffle(mixed, random)
  const eventKind = new Uint8Array(vms + mixed.length + exits)
  const eventArgument = new Int32Array(eventKind.length)
  const eventDemand = new Int32Array(eventKind.length)
  const alive = Int32Array.from({ length: vms }, (_, vm) => vm)
  let next = 0
  const add = (kind: number, argument: number, demand = 0): void => {
    eventKind[next] = kind
    eventArgument[next] = argument
    eventDemand[next++] = demand
  }
  for (let vm = 0; vm < vms; vm++) add(Event.Launch, vm)
  let started = vms
  for (const kind of mixed) {
    if (kind === Event.Evacuate) {
      add(kind, below(random, machines))
      continue
    }
    const place = below(random, vms)
    const vm = alive[place]!
    if (kind === Event.Surge) {
      add(kind, vm, drawDemand(options.sizes[vmSize[vm]!]!, random))
    } else {
      add(Event.Exit, vm)
      alive[place] = started
      add(Event.Launch, started++)
    }
  }
  return { eventKind, eventArgument, eventDemand }
}
