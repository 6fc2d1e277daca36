/**
 * What two QEMUs must have in common for one to go on with the machine of the other.
 *
 * @module
 */
import { formatBytes, GodwitError } from '@godwit/core'
import type { QmpClient } from './qmp.ts'

/** Of one machine. Plain data, which travels. */
export interface MachineFacts {
  /** RAM that it starts with. */
  readonly memory: number
  /** Memory that was plugged in beside it; none where it is left out. */
  readonly plugged?: number
  /** With its version: `pc-q35-7.2-machine`. */
  readonly machine: string
  /** What QEMU calls the memory that is in one file; left out where that is not known. */
  readonly backend?: string
  /** What it emulates: `x86_64`. */
  readonly target: string
  readonly cpus: number
  /** Version of QEMU: `7.2.22`. */
  readonly version: string
}

const textLengthMax = 128
const cpusMax = 4096
/** A VM of more has more regions than the wire lets it have. */
const memoryBytesMax: number = 1024 * 4 * 2 ** 30
const kernelPageBytes = 4096

function refuse(text: string): never {
  throw new GodwitError('GUEST_OPTION', text)
}

/**
 * Checks facts that come from a peer.
 *
 * @throws {GodwitError} `GUEST_OPTION`
 */
export function readFacts(options: Readonly<Record<string, string | number>>): MachineFacts {
  const known = ['backend', 'cpus', 'machine', 'memory', 'plugged', 'target', 'version']
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) refuse(`Guest qemu has no option "${name}" on its way`)
  }
  const { backend, cpus, machine, memory, plugged, target, version } = options
  const whole = (name: string, value: unknown, most: number, unit = 1): number => {
    const isRight = Number.isSafeInteger(value) && Number(value) >= unit && Number(value) <= most
    if (!isRight || Number(value) % unit !== 0) refuse(`Guest qemu: ${name} is not right`)
    return Number(value)
  }
  const text = (name: string, value: unknown, pattern: RegExp): string => {
    const isRight = typeof value === 'string' && value.length <= textLengthMax
    if (!isRight || !pattern.test(value)) refuse(`Guest qemu: ${name} is not right`)
    return value
  }
  return {
    ...(backend === undefined ? {} : { backend: text('backend', backend, /^[\w.-]+$/) }),
    cpus: whole('cpus', cpus, cpusMax),
    machine: text('machine', machine, /^[\w.+-]+$/),
    memory: whole('memory', memory, memoryBytesMax, kernelPageBytes),
    ...(plugged === undefined
      ? {}
      : { plugged: whole('plugged', plugged, memoryBytesMax, kernelPageBytes) }),
    target: text('target', target, /^\w+$/),
    version: text('version', version, /^\d+\.\d+\.\d+$/),
  }
}

/**
 * Asks a QEMU.
 *
 * @throws {GodwitError} `GUEST_FAILED`; `GUEST_OPTION`: a machine that cannot be told
 */
export async function askFacts(qmp: QmpClient): Promise<MachineFacts> {
  const [memory, machine, cpus] = await Promise.all([
    qmp.execute<{ 'base-memory'?: number; 'plugged-memory'?: number }>('query-memory-size-summary'),
    qmp.execute('qom-get', { path: '/machine', property: 'type' }),
    qmp.execute<readonly { target?: string }[]>('query-cpus-fast'),
  ])
  const plugged = memory['plugged-memory'] ?? 0
  return readFacts({
    cpus: cpus.length,
    machine: String(machine),
    memory: memory['base-memory'] ?? 0,
    ...(plugged === 0 ? {} : { plugged }),
    target: cpus[0]?.target ?? '',
    version: qmp.version,
  })
}

/** All of its memory but that of devices. */
export function ramBytes({ memory, plugged = 0 }: MachineFacts): number {
  return memory + plugged
}

/**
 * Whether all of its memory can be in one file. What is plugged in is a file of its own.
 *
 * @throws {GodwitError} `GUEST_OPTION`
 */
export function checkInOneFile({ plugged = 0 }: MachineFacts): void {
  if (plugged === 0) return
  const text = `${formatBytes(plugged)} of the VM's memory were plugged in, and are not in`
  refuse(`${text} its RAM file: attach=stream moves them`)
}

/**
 * Whether the machine here can go on as the one that is offered. Newer QEMUs take what older ones
 * had; the machine type has all that the guest can see of a version.
 *
 * @throws {GodwitError} `GUEST_OPTION` that tells both
 */
export function compareFacts(here: MachineFacts, offered: MachineFacts): void {
  const differ = (what: string, mine: string, others: string, hint: string): never =>
    refuse(`The VM that is offered has ${what} ${others}, the one configured here ${mine}; ${hint}`)
  if (here.memory !== offered.memory) {
    const hint = 'give QEMU size={memory} and -m the same'
    differ('memory of', formatBytes(here.memory), formatBytes(offered.memory), hint)
  }
  const [mine, others] = [here, offered].map(({ plugged = 0 }) => plugged)
  if (mine !== others) {
    const hint = 'give QEMU the same memory devices (-device pc-dimm)'
    differ('plugged memory of', formatBytes(mine!), formatBytes(others!), hint)
  }
  for (const [name, what, hint] of [
    ['machine', 'the machine type', 'name it with its version in -machine'],
    ['target', 'a processor', 'start the same qemu-system program'],
    ['cpus', 'a number of processors of', 'give the same -smp'],
  ] as const) {
    if (here[name] !== offered[name]) differ(what, `${here[name]}`, `${offered[name]}`, hint)
  }
  if (isOlder(here.version, offered.version)) {
    differ('QEMU', here.version, offered.version, 'QEMU here must not be older')
  }
}

/** Whether major and minor number are lower. */
function isOlder(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [otherMajor = 0, otherMinor = 0] = than.split('.').map(Number)
  return major < otherMajor || (major === otherMajor && minor < otherMinor)
}
