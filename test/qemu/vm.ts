/**
 * A small VM of QEMU for tests: Debian's kernel, and a program that counts on the console.
 *
 * Debian packages: `qemu-system-x86`, `busybox-static`, `linux-image-cloud-amd64`. Where one is
 * missing, tests are skipped and say so; with `GODWIT_VM` set, as in continuous integration, they
 * fail.
 *
 * @module
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  accessSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { MIB } from '@godwit/core'
import { loadSystemCalls } from '@godwit/linux'
import { QmpClient } from '@godwit/qemu'

/** A device that every VM has, and that a destination may lack. */
export const RNG_DEVICE: readonly string[] = ['-device', 'virtio-rng-pci']

export const MEMORY_BYTES: number = 160 * MIB

const program = 'qemu-system-x86_64'
const busybox = '/bin/busybox'
const limitMs = 120_000
const pollMs = 10

function kernelPath(): string | undefined {
  const names = existsSync('/boot') ? readdirSync('/boot') : []
  const kernels = names.filter((name) => /^vmlinuz-.*-cloud-amd64$/.test(name)).toSorted()
  const path = kernels.length === 0 ? undefined : join('/boot', kernels.at(-1)!)
  try {
    if (path !== undefined) accessSync(path, constants.R_OK)
    return path
  } catch {
    return undefined
  }
}

/** Of the kernel that VMs have: `6.1.0-18-cloud-amd64`. */
export function kernelRelease(): string {
  return basename(kernelPath() ?? '').replace('vmlinuz-', '')
}

async function lacking(): Promise<string> {
  const hasCalls = await loadSystemCalls().then(
    () => true,
    () => false,
  )
  if (!hasCalls) return 'Linux on x64 and npm koffi'
  const isStatic = existsSync(busybox) && !readFileSync(busybox).includes('/ld-linux')
  const missing = [
    ...(spawnSync(program, ['--version']).status === 0 ? [] : ['qemu-system-x86']),
    ...(isStatic ? [] : ['busybox-static']),
    ...(kernelPath() === undefined ? ['linux-image-cloud-amd64'] : []),
  ]
  return missing.length === 0 ? '' : `apt-get install ${missing.join(' ')}`
}

const wanted = await lacking()
/** Whether what is missing is a failure. */
export const isMust: boolean = (process.env['GODWIT_VM'] ?? '') !== ''

/** Whether VMs cannot be had here; with `GODWIT_VM` tests find that out by themselves. */
export const isImpossible: boolean = wanted !== '' && !isMust
/** For names of tests: what they need. */
export const needs: string = wanted === '' ? '' : ` (needs ${wanted})`

/** What a VM starts from: arguments of QEMU, for files that it makes in a folder. */
export type Boot = (folder: string) => readonly string[]

/**
 * Debian's kernel and the program that counts.
 *
 * @param fill - adds files to the root folder of the VM; a shell script `setup` runs first
 */
export function linux(fill: (root: string) => void = () => {}): Boot {
  return (folder) => {
    const root = join(folder, 'root')
    mkdirSync(join(root, 'bin'), { recursive: true })
    copyFileSync(busybox, join(root, 'bin', 'busybox'))
    copyFileSync(fileURLToPath(new URL('./init', import.meta.url)), join(root, 'init'))
    fill(root)
    const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).toSorted()
    const initramfs = join(folder, 'initramfs')
    const archive = openSync(initramfs, 'w')
    execFileSync(busybox, ['cpio', '-o', '-H', 'newc'], {
      cwd: root,
      input: `${names.join('\n')}\n`,
      stdio: ['pipe', archive, 'ignore'],
    })
    closeSync(archive)
    // pti=on: without it QEMU 7.2 loses dirty pages of its own migrations under TCG.
    const append = ['-append', 'console=ttyS0 quiet panic=-1 pti=on']
    return ['-kernel', kernelPath() ?? `a kernel (${wanted})`, '-initrd', initramfs, ...append]
  }
}

/** How VMs of a yard are. */
export interface YardOptions {
  /** Default {@link linux}. */
  readonly boot?: Boot
  /** Default {@link MEMORY_BYTES}. */
  readonly memoryBytes?: number
}

/** Where VMs of a test file have their files. */
export class Yard {
  readonly folder: string
  /** What RAM is called. */
  readonly ramName: string
  readonly memoryBytes: number
  readonly #boot: readonly string[]

  constructor(ramName = 'ram', { boot = linux(), memoryBytes = MEMORY_BYTES }: YardOptions = {}) {
    this.ramName = ramName
    this.memoryBytes = memoryBytes
    this.folder = mkdtempSync(join(tmpdir(), 'godwit-vm-'))
    this.#boot = boot(this.folder)
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  /**
   * What starts the VM.
   *
   * @param ram - its file, or a place for it; undefined: RAM is QEMU's own
   * @param size - as QEMU takes it
   */
  command(
    ram: string | undefined,
    size: string,
    log: string,
    more: readonly string[] = [],
  ): string[] {
    const id = this.ramName
    const backend = `memory-backend-file,id=${id},size=${size},mem-path=${ram},share=on`
    const ofMachine = ram === undefined ? 'q35' : `q35,memory-backend=${id}`
    const memory = ram === undefined ? ['-m', `${this.memoryBytes / MIB}M`] : ['-object', backend]
    const machine = ['-accel', 'tcg', '-machine', ofMachine, '-cpu', 'max']
    const devices = ['-nodefaults', '-display', 'none', '-serial', `file:${log}`, ...RNG_DEVICE]
    return [program, ...machine, ...memory, ...devices, ...this.#boot, ...more]
  }

  /** A configuration for a destination; its VM's console is `log`. */
  config(log: string, change: (command: string[]) => string[] = (same) => same): string {
    const path = this.path(`${Math.random()}.json`)
    const command = change(this.command('{ram}', '{memory}', log))
    writeFileSync(path, JSON.stringify({ command }))
    return path
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** How a VM is started. */
export interface VmOptions {
  /** Its RAM is in no file. */
  readonly isPlain?: boolean
  /** Arguments of QEMU. */
  readonly more?: readonly string[]
}

/** A VM that somebody started before Godwit came. */
export class Vm {
  readonly qmpPath: string
  readonly ramPath: string
  readonly log: string
  readonly #child: ChildProcess

  /** Boots it, up to where it counts. */
  static async boot(yard: Yard, name: string, options: VmOptions = {}): Promise<Vm> {
    const vm = new Vm(yard, name, options)
    await consoleLine(vm.log, /^TICK 20 /m)
    return vm
  }

  /** Starts it; nothing is waited for. */
  constructor(yard: Yard, name: string, { isPlain = false, more = [] }: VmOptions = {}) {
    this.qmpPath = yard.path(`${name}.qmp`)
    this.ramPath = yard.path(`${name}.ram`)
    this.log = yard.path(`${name}.log`)
    const own = ['-qmp', `unix:${this.qmpPath},server=on,wait=off`, ...more]
    const ram = isPlain ? undefined : this.ramPath
    const [file = '', ...args] = yard.command(ram, `${yard.memoryBytes}`, this.log, own)
    this.#child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  }

  get isEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** `running`, `paused`, `postmigrate`. */
  status(): Promise<string> {
    return statusOf(this.qmpPath)
  }

  /** Waits for its end. */
  async ended(): Promise<void> {
    if (!this.isEnded) await once(this.#child, 'exit')
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.ended()
  }

  /** QEMU shuts it down. */
  async shutDown(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.ended()
  }
}

export async function statusOf(qmpPath: string): Promise<string> {
  const qmp = await QmpClient.connect(qmpPath)
  const { status } = await qmp.execute<{ status: string }>('query-status')
  qmp.close()
  return status
}

/** All that a VM has said. */
export function consoleText(log: string): string {
  return existsSync(log) ? readFileSync(log, 'latin1').replaceAll('\r', '') : ''
}

/** Waits for a VM to say something. */
export async function consoleLine(log: string, pattern: RegExp): Promise<void> {
  for (let leftMs = limitMs; leftMs > 0; leftMs -= pollMs) {
    if (pattern.test(consoleText(log))) return
    await sleep(pollMs)
  }
  throw new Error(`the VM did not say ${pattern}; it said ${consoleText(log).slice(-500)}`)
}

/** The last number that was counted. */
export function lastTick(log: string): number {
  return Number(/^TICK (\d+) \S+\n(?![^]*^TICK \d+ \S+\n)/m.exec(consoleText(log))?.[1] ?? 0)
}

/** Waits until it has counted on. */
export async function countsOn(log: string, by = 10): Promise<void> {
  // A VM that has just come has said nothing here yet.
  await consoleLine(log, /^TICK \d+ \S+\n/m)
  await consoleLine(log, new RegExp(`^TICK ${lastTick(log) + by} `, 'm'))
}

/**
 * What is wrong with what one VM said, piece by piece in one place after the other: a number twice
 * or left out, a clock that goes back or jumps, memory that is another, anything else it said.
 */
export function complaints(logs: readonly string[]): readonly string[] {
  const text = logs.map((log) => consoleText(log)).join('')
  const lines = text.slice(text.indexOf('READY')).split('\n').slice(1, -1)
  const wrong: string[] = []
  let [tick, clock, sum] = [0, 0, '']
  for (const line of lines) {
    const counted = /^TICK (\d+) (\d+\.\d\d)$/.exec(line)
    if (counted !== null) {
      const [next, now] = [Number(counted[1]), Number(counted[2])]
      if (next !== tick + 1) wrong.push(`${next} after ${tick}`)
      if (clock > 0 && (now < clock || now > clock + 60)) wrong.push(`${now} s after ${clock} s`)
      tick = next
      clock = now
    } else if (line.startsWith('SUM ') && (sum === '' || line === sum)) sum = line
    else wrong.push(line)
  }
  return wrong
}
