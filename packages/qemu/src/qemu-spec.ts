/**
 * What somebody may write of a QEMU guest (`qemu,qmp=SOCKET,ram=FILE`), and what travels of it.
 *
 * @module
 */
import { statSync } from 'node:fs'
import { GodwitError, type GuestIdentity, parseDurationMs } from '@godwit/core'
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
  help: 'a virtual machine of QEMU that runs here already (Linux)',
  options: [
    { name: 'qmp', value: 'SOCKET', fallback: '', help: 'its QMP socket, of no other client' },
    {
      name: 'attach',
      value: 'file|stream',
      fallback: 'file',
      help: 'its RAM is a shared file, which Godwit reads; or QEMU streams it, whatever it is',
    },
    { name: 'ram', value: 'FILE', fallback: '', help: 'file: mem-path of its memory-backend-file' },
    {
      name: 'downtime',
      value: 'T',
      fallback: '',
      help: "stream: QEMU's downtime-limit, by which it stops the VM",
    },
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
      help: '{"command": [...]} starts QEMU; {ram} and {ram:NAME} are files, {memory} a size',
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

/** A VM that runs here, and whose memory QEMU streams. */
export interface StreamPlace {
  readonly qmp: string
  readonly keeps: boolean
  /** QEMU's `downtime-limit`; what it has else. */
  readonly downtimeMs?: number | undefined
}

/** A VM that runs here, however its memory is had. */
export type VmPlace = QemuPlace | StreamPlace

const sendExample = 'qemu,qmp=/run/vm.qmp,ram=/dev/shm/vm'
const streamExample = 'qemu,attach=stream,qmp=/run/vm.qmp'
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
  const identity = localIdentityOf(text)
  if (memoryBytes !== undefined) {
    throw new GodwitError('USAGE', 'A qemu guest has the memory of its VM: leave --memory out')
  }
  const { ram } = identity.options
  // How much a stream brings only the stream tells.
  return { identity, memoryBytes: ram === undefined ? 0 : bytesOf(String(ram)) }
}

/** Where the VM is that {@link parseQemu} would find. @throws {GodwitError} `GUEST_OPTION` */
export function readPlace(text: string): VmPlace {
  return vmPlaceOf(localIdentityOf(text))
}

function localIdentityOf(text: string): GuestIdentity {
  const options = optionsOf(text, QEMU_HELP)
  const attach = options.get('attach') ?? 'file'
  if (attach === 'stream') return streamIdentityOf(options)
  if (attach !== 'file') refuse(`attach=${attach}: it is file or stream`)
  if (options.has('downtime')) refuse('downtime=... is for attach=stream; else there is --stop')
  const ram = required(options, 'ram', sendExample)
  const qmp = required(options, 'qmp', sendExample)
  return { kind: QEMU_KIND, options: { qmp, ram, after: afterOf(options) } }
}

function streamIdentityOf(options: ReadonlyMap<string, string>): GuestIdentity {
  const qmp = required(options, 'qmp', streamExample)
  if (options.has('ram')) refuse('ram=... is for attach=file; a stream needs no file')
  const downtime = options.get('downtime')
  const downtimeMs = downtime === undefined ? {} : { downtimeMs: parseDurationMs(downtime) }
  const local = { attach: 'stream', qmp, after: afterOf(options), ...downtimeMs }
  return { kind: QEMU_KIND, options: local }
}

function afterOf(options: ReadonlyMap<string, string>): string {
  const after = options.get('after') ?? 'quit'
  return after === 'quit' || after === 'keep' ? after : refuse(`after=${after}: it is quit or keep`)
}

/** What {@link parseQemu} read of a VM that QEMU streams; undefined for one with a file. */
export function streamPlaceOf({ options }: GuestIdentity): StreamPlace | undefined {
  const { attach, qmp, after, downtimeMs } = options
  if (attach !== 'stream') return undefined
  const limit = downtimeMs === undefined ? {} : { downtimeMs: Number(downtimeMs) }
  return { qmp: String(qmp), keeps: after === 'keep', ...limit }
}

/** What {@link parseQemu} read. */
export function placeOf({ options }: GuestIdentity): QemuPlace {
  const { qmp, ram, after } = options
  return { qmp: String(qmp), ram: String(ram), keeps: after === 'keep' }
}

/** What {@link parseQemu} read, of either kind. */
export function vmPlaceOf(identity: GuestIdentity): VmPlace {
  return streamPlaceOf(identity) ?? placeOf(identity)
}

/** As {@link parseQemu} reads it. */
export function formatPlace(place: VmPlace): string {
  const after = place.keeps ? ',after=keep' : ''
  if ('ram' in place) return `qemu,qmp=${place.qmp},ram=${place.ram}${after}`
  const downtime = place.downtimeMs === undefined ? '' : `,downtime=${place.downtimeMs}ms`
  return `qemu,attach=stream,qmp=${place.qmp}${downtime}${after}`
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
