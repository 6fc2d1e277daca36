/**
 * One QEMU process with the benchmark's guest.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { MIB } from '@godwit/core'
import { QmpClient } from '@godwit/qemu'
import { start } from '../children.ts'
import { splitCommand } from '../process.ts'
import { cpuSecondsWithout } from './cpu-time.ts'
import type { Workshop } from './workshop.ts'

const pollMs = 10
const quitMs = 10_000

export interface QemuOptions {
  /** One process of a name at a time. */
  readonly name: string
  readonly memoryBytes: number
  /** Of the guest's kernel, beside what every guest has. */
  readonly commandLine: string
  /** Where its state comes from, as `-incoming` says it; without one it boots. */
  readonly incoming?: string
  /** A program and arguments that start QEMU somewhere else, like in a network namespace. */
  readonly prefix?: readonly string[]
}

/** A line of the guest's console, and when it came. */
export interface ConsoleLine {
  readonly text: string
  readonly atMs: number
}

/**
 * Without hardware virtualization QEMU 7.2 loses dirty pages, by all signs those whose translation
 * outlives a look at the dirty bitmap. With `pti=on` the guest's kernel flushes translations at
 * every entry, and none are lost.
 */
const kernelOptions = 'console=ttyS0 quiet panic=-1 pti=on'

function argumentsOf(workshop: Workshop, options: QemuOptions, socket: string): string[] {
  const { kernel, initramfs } = workshop
  const { memoryBytes, commandLine, incoming } = options
  const values = {
    name: 'guest,debug-threads=on',
    accel: 'tcg',
    machine: 'q35',
    cpu: 'max',
    smp: '1',
    m: `${memoryBytes / MIB}M`,
    display: 'none',
    serial: 'stdio',
    qmp: `unix:${socket},server=on,wait=off`,
    kernel,
    initrd: initramfs,
    append: `${kernelOptions} ${commandLine}`,
    ...(incoming === undefined ? {} : { incoming }),
  }
  return ['-nodefaults', ...Object.entries(values).flatMap(([name, value]) => [`-${name}`, value])]
}

export class Qemu {
  readonly qmp: QmpClient
  readonly console: readonly ConsoleLine[]
  readonly #child: ChildProcess

  static async start(workshop: Workshop, options: QemuOptions): Promise<Qemu> {
    const socket = join(workshop.folder, `${options.name}-${process.pid}.qmp`)
    rmSync(socket, { force: true })
    const own = ['qemu-system-x86_64', ...argumentsOf(workshop, options, socket)]
    const [program, args] = splitCommand([...(options.prefix ?? []), ...own])
    const child = start(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    // Nothing else ends it when this process comes to an early end.
    const end = (): void => void child.kill('SIGKILL')
    process.once('exit', end)
    child.once('exit', () => {
      process.off('exit', end)
      rmSync(socket, { force: true })
    })
    const lines: ConsoleLine[] = []
    createInterface({ input: child.stdout }).on('line', (text) => {
      lines.push({ text: text.trim(), atMs: Date.now() })
    })
    try {
      return new Qemu(await QmpClient.connect(socket, { waits: true }), lines, child)
    } catch (error) {
      child.kill('SIGKILL')
      throw error
    }
  }

  private constructor(qmp: QmpClient, lines: readonly ConsoleLine[], child: ChildProcess) {
    this.qmp = qmp
    this.console = lines
    this.#child = child
  }

  /** Waits for a line of the console, from line number `from` on. */
  async line(pattern: RegExp, limitMs: number, from = 0): Promise<ConsoleLine> {
    for (let leftMs = limitMs; leftMs > 0; leftMs -= pollMs) {
      const found = this.console.slice(from).find(({ text }) => pattern.test(text))
      if (found !== undefined) return found
      await sleep(pollMs)
    }
    throw new Error(`the guest did not say ${pattern.source}`)
  }

  /** Waits for QEMU to be in a state, like `paused`. */
  async status(wanted: string, limitMs: number): Promise<void> {
    for (let leftMs = limitMs; leftMs > 0; leftMs -= pollMs) {
      const { status } = await this.qmp.execute<{ status: string }>('query-status')
      if (status === wanted) return
      await sleep(pollMs)
    }
    throw new Error(`QEMU did not come to be ${wanted}`)
  }

  /** Of everything but the guest's processor. */
  cpuSeconds(): number {
    return cpuSecondsWithout(/TCG/, this.#child.pid!)
  }

  async quit(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), quitMs)
    const exited = once(this.#child, 'exit')
    await this.qmp.execute('quit').catch(() => this.#child.kill('SIGKILL'))
    await exited
    clearTimeout(timer)
  }
}
