/**
 * `godwit catalog simulate`: what placement and routing by pairs gain in a large data centre.
 *
 * @module
 */
import type { SimulationOptions } from '@godwit/catalog'
import { simulationDefaults as defaults, simulate } from '@godwit/catalog'
import { formatBytes, formatCount, formatDurationMs, parseBytes } from '@godwit/core'
import { type Command, Option } from 'commander'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit } from './exit-code.ts'
import { checkWritable, note, print, printJson, writeText } from './output.ts'
import { parseCount } from './settings.ts'
import { formatSimulation } from './simulation-table.ts'
import {
  formatPercent,
  formatSizes,
  parseLinkCosts,
  parseNumber,
  parsePercent,
  parsePercentRange,
  parsePolicies,
  parseSizes,
  parseZipf,
} from './simulation-settings.ts'

type Shared = Omit<
  SimulationOptions,
  'machineMemoryBytes' | 'operatingSystemZipf' | 'hypervisorZipf' | 'zeroShare' | 'staticShare'
>

interface SimulateSettings extends Shared {
  readonly machineMemory: number
  readonly zipf: readonly [number, number]
  readonly zero: number
  readonly static: readonly [number, number]
  readonly json?: boolean
  readonly plot?: string
}

const help = `
The same guests and events are played under each policy: PLACEMENT+ROUTING, each of them escdr,
least-loaded or random. What the figures mean, and what the model leaves out, is in the README of
@godwit/catalog.

Examples:
  godwit catalog simulate
  godwit catalog simulate --seed 2 --plot escdr.svg
  godwit catalog simulate --machines 200 --vms 2000 --operating-systems 300 \\
    --policies escdr+escdr,random+random`

/** Adds the command to the group `catalog`; `finish` gets the exit code. */
export function addSimulateCommand(group: Command, finish: (code: ExitCode) => void): void {
  const command = group
    .command('simulate')
    .description('Compare placement and routing by pairs with chance, and with load alone')
  addMachineOptions(command)
  addGuestOptions(command)
  addEventOptions(command)
  command
    .addOption(
      new Option('--policies <NAMES>', 'what to compare')
        .argParser(parsePolicies)
        .default(defaults.policies, 'ESCDR, each half of it, and what it is compared with'),
    )
    .option('--plot <FILE.svg>', 'draw the figures')
    .option('--json', 'print JSON (godwit.simulation/1)')
    .addHelpText('after', help)
    .action(async (settings: SimulateSettings) => {
      finish(await run(settings))
    })
}

interface Setting<T> {
  readonly flags: string
  readonly text: string
  readonly parse: (text: string) => T
  readonly value: T
  /** The value as it would be typed. */
  readonly shown?: string
}

function add<T>(command: Command, { flags, text, parse, value, shown }: Setting<T>): void {
  const option = new Option(flags, text).argParser((typed: string) => parse(typed))
  command.addOption(option.default(value, shown))
}

function addMachineOptions(command: Command): void {
  add(command, {
    flags: '--seed <N>',
    text: 'another seed, another world; the same seed, the same result',
    parse: parseCount(0),
    value: defaults.seed,
  })
  add(command, {
    flags: '--machines <N>',
    text: 'how many machines',
    parse: parseCount(2),
    value: defaults.machines,
  })
  add(command, {
    flags: '--machine-memory <SIZE>',
    text: 'memory of each',
    parse: parseBytes,
    value: defaults.machineMemoryBytes,
    shown: formatBytes(defaults.machineMemoryBytes).replace(' ', ''),
  })
  add(command, {
    flags: '--machine-cpus <N>',
    text: 'CPUs of each',
    parse: parseNumber,
    value: defaults.machineCpus,
  })
  add(command, {
    flags: '--load-max <PERCENT>',
    text: 'of the CPUs; a guest that takes its machine over it leaves, none comes that would',
    parse: parsePercent,
    value: defaults.loadMax,
    shown: formatPercent(defaults.loadMax),
  })
  add(command, {
    flags: '--machines-per-rack <N>',
    text: 'machines at one switch',
    parse: parseCount(1),
    value: defaults.machinesPerRack,
  })
  add(command, {
    flags: '--racks-per-pod <N>',
    text: 'racks at one switch; pods meet in the core',
    parse: parseCount(1),
    value: defaults.racksPerPod,
  })
  add(command, {
    flags: '--link-costs <A,B,C>',
    text: 'of a link from machine to rack, rack to pod, pod to core',
    parse: parseLinkCosts,
    value: defaults.linkCosts,
    shown: defaults.linkCosts.join(),
  })
}

function addGuestOptions(command: Command): void {
  add(command, {
    flags: '--vms <N>',
    text: 'how many guests',
    parse: parseCount(1),
    value: defaults.vms,
  })
  add(command, {
    flags: '--sizes <MEMORY/CPUS:WEIGHT,...>',
    text: 'their sizes, and how often each comes; each demands between none and all of its CPUs',
    parse: parseSizes,
    value: defaults.sizes,
    shown: formatSizes(defaults.sizes),
  })
  add(command, {
    flags: '--operating-systems <N>',
    text: 'each version counts as one',
    parse: parseCount(1),
    value: defaults.operatingSystems,
  })
  add(command, {
    flags: '--hypervisors <N>',
    text: 'each version counts as one',
    parse: parseCount(1),
    value: defaults.hypervisors,
  })
  add(command, {
    flags: '--zipf <OS[,HYPERVISOR]>',
    text: 'exponents of how common they are; 0: all are as common',
    parse: parseZipf,
    value: [defaults.operatingSystemZipf, defaults.hypervisorZipf] as const,
    shown: `${defaults.operatingSystemZipf},${defaults.hypervisorZipf}`,
  })
  add(command, {
    flags: '--zero <PERCENT>',
    text: 'zero pages of a guest, as measured',
    parse: parsePercent,
    value: defaults.zeroShare,
    shown: formatPercent(defaults.zeroShare),
  })
  add(command, {
    flags: '--static <PERCENT[-PERCENT]>',
    text: 'static pages among the others, as measured; each pair has its share between the two',
    parse: parsePercentRange,
    value: defaults.staticShare,
    shown: defaults.staticShare.map(formatPercent).join('-'),
  })
}

function addEventOptions(command: Command): void {
  add(command, {
    flags: '--churn <PERCENT>',
    text: 'of the guests: how many exit, each replaced by a new one',
    parse: parsePercent,
    value: defaults.churn,
    shown: formatPercent(defaults.churn),
  })
  add(command, {
    flags: '--surge <PERCENT>',
    text: 'of the guests: how often the demand of one of them changes',
    parse: parsePercent,
    value: defaults.surge,
    shown: formatPercent(defaults.surge),
  })
  add(command, {
    flags: '--evacuate <PERCENT>',
    text: 'of the machines: how many are emptied, one after another',
    parse: parsePercent,
    value: defaults.evacuate,
    shown: formatPercent(defaults.evacuate),
  })
}

async function run(settings: SimulateSettings): Promise<ExitCode> {
  const { json, plot, machineMemory, zipf, zero, static: staticShare, ...shared } = settings
  checkWritable(plot)
  const startedMs = performance.now()
  const simulation = simulate({
    ...shared,
    machineMemoryBytes: machineMemory,
    operatingSystemZipf: zipf[0],
    hypervisorZipf: zipf[1],
    zeroShare: zero,
    staticShare,
  })
  const { machines, vms, seed } = simulation.options
  note(
    `simulated ${formatCount(machines)} machines and ${formatCount(vms)} guests, seed ${seed}, ` +
      `in ${formatDurationMs(performance.now() - startedMs)}`,
  )
  if (plot !== undefined) {
    // Half a second to load, so only who wants a picture waits for it.
    const { drawSimulation } = await import('./simulation-chart.ts')
    writeText(plot, await drawSimulation(simulation))
  }
  if (json === true) printJson(simulation, 2)
  else print(formatSimulation(simulation))
  return Exit.Done
}
