/**
 * `godwit` as a process: started, read line by line, and always ended.
 *
 * @module
 */
import './compile-cache.ts'
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Report } from '@godwit/core'

const main = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
const running = new Set<GodwitProcess>()
let directory: string | undefined
let fileCount = 0

/** A path that nobody uses yet, gone after {@link endProcesses}. */
export function freshPath(name: string): string {
  directory ??= mkdtempSync(join(tmpdir(), 'godwit-'))
  return join(directory, `${fileCount++}-${name}`)
}

/** How a process ended. */
export interface Ended {
  /** Undefined when a signal ended it. */
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

interface Waiting {
  readonly pattern: RegExp
  readonly resolve: (match: RegExpExecArray) => void
  readonly reject: (error: Error) => void
}

/** One `godwit` with its output. */
export class GodwitProcess {
  readonly ended: Promise<Ended>
  stdout = ''
  stderr = ''
  readonly #child: ChildProcess
  readonly #waiting = new Set<Waiting>()
  #over = false

  constructor(args: readonly string[], script: string = main) {
    this.#child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    running.add(this)
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.#look()
    })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.#look()
    })
    this.ended = new Promise((resolve) => {
      this.#child.on('close', (code) => {
        this.#over = true
        running.delete(this)
        this.#look()
        resolve({ code: code ?? undefined, stdout: this.stdout, stderr: this.stderr })
      })
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  get isOver(): boolean {
    return this.#over
  }

  /** The first whole line, printed so far or later, that matches; rejects when there is none. */
  line(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      this.#waiting.add({ pattern, resolve, reject })
      this.#look()
    })
  }

  signal(name: NodeJS.Signals): void {
    // Says no, instead of throwing, when it has ended and only its output is still to be read.
    this.#child.kill(name)
  }

  #look(): void {
    const lines = [this.stdout, this.stderr].flatMap((text) => text.split('\n').slice(0, -1))
    for (const waiting of this.#waiting) {
      const match = lines.map((line) => waiting.pattern.exec(line)).find((found) => found !== null)
      if (match === undefined && !this.#over) continue
      this.#waiting.delete(waiting)
      if (match !== undefined) waiting.resolve(match)
      else waiting.reject(new Error(`ended without ${waiting.pattern}: ${this.stderr}`))
    }
  }
}

/** Starts a command that goes on. */
export function startGodwit(...args: string[]): GodwitProcess {
  return new GodwitProcess(args)
}

/** Starts another program than `godwit`. */
export function startProgram(url: URL, ...args: string[]): GodwitProcess {
  return new GodwitProcess(args, fileURLToPath(url))
}

/** Runs a command to its end. */
export function runGodwit(...args: string[]): Promise<Ended> {
  return new GodwitProcess(args).ended
}

/** A destination that listens. */
export interface Destination {
  readonly process: GodwitProcess
  readonly address: string
}

/** `godwit receive` on a free port (or the one of `--listen`), once it listens. */
export async function startDestination(...args: string[]): Promise<Destination> {
  const listen = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0']
  const receiver = startGodwit('receive', ...listen, '--quiet', ...args)
  const [, address] = await receiver.line(/^listening (.+)$/)
  return { process: receiver, address: address! }
}

/** The report that `--json file` left. */
export function readReport(file: string): Report {
  return JSON.parse(readFileSync(file, 'utf8')) as Report
}

/** One request to a control socket, without a process of its own. */
export function askControl(file: string, command: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = createConnection(file)
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += String(chunk)
    })
    socket.on('connect', () => socket.write(`${JSON.stringify({ command })}\n`))
    socket.on('end', () =>
      resolve((JSON.parse(text) as { result: Record<string, unknown> }).result),
    )
    socket.on('error', reject)
  })
}

/** Asks for the status again and again until it is as wanted. */
export async function statusWhen(
  file: string,
  isWanted: (status: Record<string, unknown>) => boolean,
): Promise<Record<string, unknown>> {
  for (;;) {
    // Between its making and the first listening, nobody answers at the file.
    const status = await askControl(file, 'status').catch(() => undefined)
    if (status !== undefined && isWanted(status)) return status
    // Asked without a pause, an agent on a busy machine would do little else than answer.
    await setTimeout(3)
  }
}

/** Kills what still runs but for one, which goes on with its files. */
export async function endOthers(kept: GodwitProcess): Promise<void> {
  const others = [...running].filter((one) => one !== kept)
  for (const one of others) one.signal('SIGKILL')
  await Promise.all(others.map((one) => one.ended))
}

/** Kills what still runs and removes what was written; for `afterEach` and `afterAll`. */
export async function endProcesses(): Promise<void> {
  const left = [...running]
  for (const one of left) one.signal('SIGKILL')
  await Promise.all(left.map((one) => one.ended))
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
  directory = undefined
}
