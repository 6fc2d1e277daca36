/**
 * What somebody may write of a QEMU guest (`qemu,qmp=SOCKET,ram=FILE`), and what travels of it.
 *
 * @module
 */
import { statSync } from 'node:fs'
import { GodwitError, type GuestIdentity } from '@godwit/core'
import { type MachineFacts, readFacts } from './machine-facts.ts'

export const QEMU_KIND = 'qemu'

/** One option, for help. */
export interface QemuOption {
  readonly name: string
  readonly value: string
  /** '' for none. */
  readonly fallback: string
  readonly help: string
}

/** A guest and its options, for help. */
export interface QemuHelp {
  readonly kind: string
  readonly help: string
  readonly options: readonly QemuOption[]
}

export const QEMU_HELP: QemuHelp = {
  kind: QEMU_KIND,
  help: 'a virtual machine of QEMU that runs here already, with its RAM in a shared file (Linux)',
  options: [
    { name: 'qmp', value: 'SOCKET', fallback: '', help: 'its QMP socket, of no other client' },
    { name: 'ram', value: 'FILE', fallback: '', help: 'mem-path of its memory-backend-file' },
    {
      name: 'after',
      value: 'quit|keep',
      fallback: 'quit',
      help: 'what becomes of this QEMU when the VM has moved: it ends, or stays, stopped',
    },
  ],
}

/** Of `receive --guest`. */
export const QEMU_HOST_HELP: QemuHelp = {
  kind: QEMU_KIND,
  help: 'takes in virtual machines of QEMU, each with a QEMU of its own',
  options: [
    {
      name: 'config',
      value: 'FILE',
      fallback: '',
      help: '{"command": [...]} starts QEMU; {ram} is the file, {memory} its size in bytes',
    },
    { name: 'ram', value: 'FOLDER', fallback: '/dev/shm', help: 'where files of RAM are made' },
  ],
}

function refuse(text: string): never {
  throw new GodwitError('GUEST_OPTION', text)
}

/** Options of `NAME,key=value...` by name, of those that there are. */
function optionsOf(text: string, help: QemuHelp): ReadonlyMap<string, string> {
  const [, ...parts] = text.split(',')
  const known = help.options.map(({ name }) => name)
  const options = new Map<string, string>()
  for (const part of parts) {
    const equals = part.indexOf('=')
    const name = part.slice(0, Math.max(0, equals))
    if (!known.includes(name)) {
      refuse(`"${part}" is no option of qemu here; its options are ${known.join(', ')}`)
    }
    if (options.has(name)) refuse(`Option ${name} of qemu is given twice`)
    const value = part.slice(equals + 1)
    if (value === '') refuse(`Option ${name} of qemu is empty`)
    options.set(name, value)
  }
  return options
}

function required(options: ReadonlyMap<string, string>, name: string, example: string): string {
  return options.get(name) ?? refuse(`Guest qemu needs ${name}=..., like ${example}`)
}

/** A VM that runs here. */
export interface QemuPlace {
  readonly qmp: string
  readonly ram: string
  /** Whether its QEMU stays when the VM has moved. */
  readonly keeps: boolean
}

const sendExample = 'qemu,qmp=/run/vm.qmp,ram=/dev/shm/vm'
const hostExample = 'qemu,config=vm.json'

/**
 * Reads `qemu,qmp=SOCKET,ram=FILE[,after=quit|keep]`. The identity is of this side only: what
 * travels is {@link qemuIdentity}.
 *
 * @param memoryBytes - must be undefined: a VM has the memory that it has
 * @throws {GodwitError} `GUEST_OPTION`, `FILE_UNREADABLE`, `USAGE`
 */
export function parseQemu(
  text: string,
  memoryBytes?: number,
): { readonly identity: GuestIdentity; readonly memoryBytes: number } {
  const options = optionsOf(text, QEMU_HELP)
  const ram = required(options, 'ram', sendExample)
  const qmp = required(options, 'qmp', sendExample)
  const after = options.get('after') ?? 'quit'
  if (after !== 'quit' && after !== 'keep') refuse(`after=${after}: it is quit or keep`)
  if (memoryBytes !== undefined) {
    throw new GodwitError('USAGE', 'A qemu guest has the memory of its VM: leave --memory out')
  }
  return { identity: { kind: QEMU_KIND, options: { qmp, ram, after } }, memoryBytes: bytesOf(ram) }
}

/** What {@link parseQemu} read. */
export function placeOf({ options }: GuestIdentity): QemuPlace {
  const { qmp, ram, after } = options
  return { qmp: String(qmp), ram: String(ram), keeps: after === 'keep' }
}

function bytesOf(path: string): number {
  try {
    return statSync(path).size
  } catch (error) {
    const { code = String(error) } = error as { code?: string }
    const text = `The VM's RAM file ${path} cannot be read (${code}); ram= is the mem-path of`
    throw new GodwitError('FILE_UNREADABLE', `${text} memory-backend-file`, { cause: error })
  }
}

/** What takes VMs in. */
export interface QemuHostPlace {
  readonly config: string
  readonly ramFolder: string
}

/** Reads `qemu,config=FILE[,ram=FOLDER]`. @throws {GodwitError} `GUEST_OPTION`, `GUEST_UNKNOWN` */
export function parseQemuHost(text: string): QemuHostPlace {
  const [kind = ''] = text.split(',')
  if (kind !== QEMU_KIND) {
    const others = 'the others need no --guest'
    throw new GodwitError('GUEST_UNKNOWN', `--guest is for qemu, not for "${kind}"; ${others}`)
  }
  const options = optionsOf(text, QEMU_HOST_HELP)
  const config = required(options, 'config', hostExample)
  return { config, ramFolder: options.get('ram') ?? '/dev/shm' }
}

/** What travels of a VM: what the other side needs to tell whether its own is the same. */
export function qemuIdentity(facts: MachineFacts): GuestIdentity {
  return { kind: QEMU_KIND, options: { ...facts } }
}

/** @throws {GodwitError} `GUEST_UNKNOWN`, `GUEST_OPTION` */
export function readQemuIdentity({ kind, options }: GuestIdentity): MachineFacts {
  if (kind === QEMU_KIND) return readFacts(options)
  throw new GodwitError('GUEST_UNKNOWN', `A guest "${kind}" is not a qemu guest`)
}
