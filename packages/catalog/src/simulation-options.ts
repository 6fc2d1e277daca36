/**
 * What a simulation is told, with bounds, and what it takes when it is told nothing.
 *
 * @module
 */
import { GIB, GodwitError } from '@godwit/core'

export const STRATEGIES = ['escdr', 'least-loaded', 'random'] as const
export type Strategy = (typeof STRATEGIES)[number]

/** How guests are placed, and how their destinations are chosen. */
export interface Policy {
  readonly placement: Strategy
  readonly routing: Strategy
}

/** One size of guest. */
export interface GuestSize {
  readonly memoryBytes: number
  readonly cpus: number
  /** How often, against the weights of the others. */
  readonly weight: number
}

export interface SimulationOptions {
  readonly seed: number
  readonly machines: number
  readonly machineMemoryBytes: number
  readonly machineCpus: number
  /** Share of a machine's CPUs: no guest comes that takes it over this; one that does leaves. */
  readonly loadMax: number
  readonly machinesPerRack: number
  readonly racksPerPod: number
  /** Of one link between machine and rack, rack and pod, pod and core. */
  readonly linkCosts: readonly [number, number, number]
  /** Guests launched before anything else happens. */
  readonly vms: number
  readonly sizes: readonly GuestSize[]
  readonly operatingSystems: number
  readonly hypervisors: number
  /** Exponents of the two distributions: 0 is even, 1 the classic law of Zipf. */
  readonly operatingSystemZipf: number
  readonly hypervisorZipf: number
  /** Guests that exit, each replaced by a launch, as a share of `vms`. */
  readonly churn: number
  /** Guests whose demand of CPU changes, as a share of `vms`. */
  readonly surge: number
  /** Machines that are emptied, as a share of `machines`. */
  readonly evacuate: number
  /** Zero pages among a guest's pages. */
  readonly zeroShare: number
  /** Static pages among the non-zero ones: from, to; each pair has a share of its own. */
  readonly staticShare: readonly [number, number]
  readonly policies: readonly Policy[]
}

/** ESCDR, and each half of it with the other half left to chance or to load alone. */
const policies: readonly Policy[] = [
  { placement: 'escdr', routing: 'escdr' },
  { placement: 'escdr', routing: 'random' },
  { placement: 'random', routing: 'escdr' },
  { placement: 'random', routing: 'random' },
  { placement: 'escdr', routing: 'least-loaded' },
  { placement: 'least-loaded', routing: 'escdr' },
  { placement: 'least-loaded', routing: 'least-loaded' },
]

/** Where the defaults of zero and static pages come from. */
export const STATIC_SHARE_SOURCE: string =
  'five QEMU guests of 256 MiB, one kernel and root file system: 44% zero pages; of the others ' +
  '58-69% were in the sibling'

/**
 * The most that a measured guest had in common with its sibling: of 256 MiB 56% were not zero, and
 * of these 69% in the sibling. Whether larger guests share more was not measured.
 */
export const STATIC_BYTES_MEASURED: number = Math.round(GIB * 0.25 * 0.56 * 0.69)

export const simulationDefaults: SimulationOptions = {
  seed: 1,
  machines: 10_000,
  machineMemoryBytes: 64 * GIB,
  machineCpus: 24,
  loadMax: 0.8,
  machinesPerRack: 40,
  racksPerPod: 16,
  linkCosts: [1, 2, 4],
  vms: 100_000,
  sizes: [
    { memoryBytes: GIB, cpus: 1, weight: 25 },
    { memoryBytes: 2 * GIB, cpus: 1, weight: 25 },
    { memoryBytes: 4 * GIB, cpus: 2, weight: 25 },
    { memoryBytes: 8 * GIB, cpus: 4, weight: 15 },
    { memoryBytes: 16 * GIB, cpus: 8, weight: 10 },
  ],
  operatingSystems: 20,
  hypervisors: 4,
  operatingSystemZipf: 1,
  hypervisorZipf: 1,
  churn: 0.5,
  surge: 1,
  evacuate: 0.1,
  zeroShare: 0.44,
  staticShare: [0.58, 0.69],
  policies,
}

/** The largest simulation: fits in 1 GiB, and ends within minutes. */
export const SIMULATION_LIMITS = {
  machines: 50_000,
  vms: 500_000,
  pairs: 1000,
  /** A counter for each machine and pair. */
  counters: 20_000_000,
  zipf: 10,
  share: 10,
  memoryBytes: 1e15,
  cpus: 10_000,
  linkCost: 1e9,
  sizes: 100,
  weight: 1e9,
} as const

/** @throws {GodwitError} `USAGE` for what makes no sense, or is too large */
export function checkSimulation(options: SimulationOptions): void {
  const { machines, vms, operatingSystems, hypervisors, sizes } = options
  const limits = SIMULATION_LIMITS
  const pairs = operatingSystems * hypervisors
  wholeNumber('seed', options.seed, 0, 2 ** 32 - 1)
  wholeNumber('machines', machines, 2, limits.machines)
  wholeNumber('vms', vms, 1, limits.vms)
  wholeNumber('machine memory', options.machineMemoryBytes, 1, limits.memoryBytes)
  number('CPUs of a machine', options.machineCpus, 0.01, limits.cpus)
  number('load max', options.loadMax, 0.01, 1)
  wholeNumber('machines per rack', options.machinesPerRack, 1, limits.machines)
  wholeNumber('racks per pod', options.racksPerPod, 1, limits.machines)
  for (const cost of options.linkCosts) number('cost of a link', cost, 1e-9, limits.linkCost)
  wholeNumber('operating systems', operatingSystems, 1, limits.pairs)
  wholeNumber('hypervisors', hypervisors, 1, limits.pairs)
  wholeNumber('pairs', pairs, 1, limits.pairs)
  wholeNumber('pairs x machines', pairs * machines, 1, limits.counters)
  number('zipf exponent', options.operatingSystemZipf, 0, limits.zipf)
  number('zipf exponent', options.hypervisorZipf, 0, limits.zipf)
  number('churn', options.churn, 0, limits.share)
  number('surge', options.surge, 0, limits.share)
  number('evacuate', options.evacuate, 0, limits.share)
  number('zero share', options.zeroShare, 0, 1)
  checkStaticShare(options.staticShare)
  checkSizes(sizes)
  wholeNumber('policies', options.policies.length, 1, STRATEGIES.length ** 2)
}

function checkStaticShare([low, high]: readonly [number, number]): void {
  number('static share', low, 0, 1)
  number('static share', high, 0, 1)
  if (low > high) throw new GodwitError('USAGE', `The static share goes from ${low} to ${high}`)
}

function checkSizes(sizes: readonly GuestSize[]): void {
  wholeNumber('sizes of guests', sizes.length, 1, SIMULATION_LIMITS.sizes)
  for (const { memoryBytes, cpus, weight } of sizes) {
    wholeNumber('memory of a guest', memoryBytes, 1, SIMULATION_LIMITS.memoryBytes)
    number('CPUs of a guest', cpus, 0.01, SIMULATION_LIMITS.cpus)
    number('weight of a size', weight, 0, SIMULATION_LIMITS.weight)
  }
  const weight = sizes.reduce((sum, size) => sum + size.weight, 0)
  if (weight <= 0) throw new GodwitError('USAGE', 'All sizes of guests have the weight 0')
}

function wholeNumber(what: string, value: number, minimum: number, maximum: number): void {
  if (!Number.isSafeInteger(value)) {
    throw new GodwitError('USAGE', `${what}: ${value} is not a whole number`)
  }
  number(what, value, minimum, maximum)
}

function number(what: string, value: number, minimum: number, maximum: number): void {
  if (!(value >= minimum)) {
    throw new GodwitError('USAGE', `${what}: ${value} is less than ${minimum}`)
  }
  if (value > maximum) {
    throw new GodwitError('USAGE', `${what}: ${value} is more than ${maximum}`)
  }
}
