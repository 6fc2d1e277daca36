/**
 * The handle of an agent in a process of its own, see `agent.ts`.
 *
 * @module
 */
import '../end-to-end/compile-cache.ts'
import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Footprint } from './footprint.ts'
import { Journal } from './journal.ts'

const script = fileURLToPath(new URL('./agent.ts', import.meta.url))
/** Room for some records of an agent. */
export const SMALL_DISK_BYTES: number = 128 * 1024

let directory: string | undefined
let fileCount = 0

/** A path that nobody uses yet, gone after {@link removeFiles}. */
export function freshFile(name: string): string {
  directory ??= mkdtempSync(join(tmpdir(), 'godwit-faults-'))
  return join(directory, `${fileCount++}-${name}`)
}

export function removeFiles(): void {
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
  directory = undefined
}

// One that is halted would not notice that its parent is gone.
const alive = new Set<AgentProcess>()
process.on('exit', () => {
  for (const agent of alive) agent.kill()
})

/** How a command ended; `code` is undefined where its process was killed first. */
export interface Ended {
  readonly code: number | undefined
  readonly stderr: string
}

/** What runs a process with a small disk at a directory, in a mount namespace of its own. */
function onSmallDisk(directory: string): { execPath: string; execArgv: string[] } {
  mkdirSync(directory, { recursive: true })
  const mount = `mount -t tmpfs -o size=${SMALL_DISK_BYTES} none "$0" && exec "$@"`
  return { execPath: 'unshare', execArgv: ['-rm', 'sh', '-c', mount, directory, process.execPath] }
}

/** One process. */
export class AgentProcess {
  readonly journal: Journal = new Journal(freshFile('journal'))
  /** Of the command that goes on, or was the last. */
  stderr = ''
  /** When its guests were gone at the latest; undefined while it is alive. */
  endNs: bigint | undefined
  readonly #child: ChildProcess
  readonly #ready: Promise<unknown>
  readonly #closed: Promise<unknown>
  #killedNs: bigint | undefined

  /** @param disk - a directory that is a small disk of this process alone */
  constructor(disk?: string) {
    const around = disk === undefined ? {} : onSmallDisk(disk)
    const stdio = ['ignore', 'ignore', 'pipe', 'ipc'] as const
    this.#child = fork(script, [this.journal.file], { stdio: [...stdio], ...around })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    alive.add(this)
    this.#closed = once(this.#child, 'close').then(() => {
      alive.delete(this)
      this.endNs = this.#killedNs ?? process.hrtime.bigint()
    })
    this.#ready = Promise.race([once(this.#child, 'message'), this.#closed])
  }

  /** Runs a command line; one at a time. */
  async run(args: readonly string[]): Promise<Ended> {
    await this.#ready
    this.stderr = ''
    const answered = once(this.#child, 'message').then(([code]) => code as number)
    this.#child.send(args)
    const code = await Promise.race([answered, this.#closed.then(() => undefined)])
    // What was printed before the answer may come after it.
    await new Promise(setImmediate)
    return { code, stderr: this.stderr }
  }

  /** What it holds now, whatever it runs. */
  async measure(): Promise<Footprint> {
    await this.#ready
    const answered = new Promise<Footprint>((resolve) => {
      const hear = (message: unknown): void => {
        if (typeof message !== 'object') return
        this.#child.off('message', hear)
        resolve(message as Footprint)
      }
      this.#child.on('message', hear)
    })
    this.#child.send(['measure'])
    return answered
  }

  /** Where a file of this process' own namespace is for others. */
  pathWithin(file: string): string {
    return `/proc/${this.#child.pid}/root${file}`
  }

  get isAlive(): boolean {
    return this.endNs === undefined && this.#killedNs === undefined
  }

  /** As from a power cut; a guest that runs here does so no more. */
  kill(): void {
    this.#killedNs ??= process.hrtime.bigint()
    this.#child.kill('SIGKILL')
  }

  /** Stands still until {@link goOn}. */
  halt(): void {
    this.#child.kill('SIGSTOP')
  }

  goOn(): void {
    this.#child.kill('SIGCONT')
  }

  async end(): Promise<void> {
    this.kill()
    await this.#closed
  }
}
