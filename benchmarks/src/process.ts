/**
 * Processes that a benchmark starts, and ends.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Report } from '@godwit/core'
import { checkInterrupted, failure, start } from './children.ts'

/** Runs a program to its end. @throws when it exits with anything but 0 */
export async function run(program: string, args: readonly string[]): Promise<string> {
  const child = start(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw failure(`${program} ${args.join(' ')} ended with ${code}`)
  return output
}

/** Program and arguments of a command. */
export function splitCommand(words: readonly string[]): [program: string, args: string[]] {
  const [program = '', ...args] = words
  return [program, args]
}

/** The first line that a process writes. @throws when it ends before */
export async function firstLine(child: ChildProcess): Promise<string> {
  const ended = once(child, 'exit').then((): never => {
    throw failure('a process ended before it said anything')
  })
  ended.catch(() => {})
  const lines = createInterface({ input: child.stdout! })
  const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string]
  lines.close()
  return line
}

/** Whether a program is installed. */
export async function isInstalled(program: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = start(program, ['--version'], { stdio: 'ignore' })
    child.on('error', () => resolve(false))
    child.on('exit', (code) => resolve(code === 0))
  })
}

/** Where the two processes of a migration run, and the address of the second. */
export interface Ends {
  /** Program and arguments that start another program there; none for here. */
  readonly source: { readonly prefix: readonly string[] }
  readonly destination: { readonly prefix: readonly string[] }
  readonly host: string
  /**
   * A port that nobody has, each time another one: then both processes start at once, and the guest
   * warms up while the destination comes to listen. Without it, the source starts after that.
   */
  readonly freePort?: () => number
  /** Done once the destination listens, before the guest is sent. */
  readonly listening?: (address: string) => Promise<void>
  /** Where the source reaches what listens at this address; default there. */
  readonly reach?: (address: string) => Promise<string>
}

/** Both on this machine. */
export const loopback: Ends = {
  source: { prefix: [] },
  destination: { prefix: [] },
  host: '127.0.0.1',
}

const runForDefault = '200ms'

/** What differs where guests are of another kind. */
export interface GuestKind {
  /** Of `godwit receive`. */
  readonly receiveOptions: readonly string[]
  /** What of the source's report says that all is well. */
  readonly isRight: (source: Report) => boolean
}

/** A guest that `send` starts: its memory is compared, and its computation goes on. */
const startedGuest: GuestKind = {
  receiveOptions: [],
  isRight: ({ memory, guestProof }) => (memory?.equal && guestProof?.continuous) === true,
}

/** Why a migration failed, by its report. */
function reasonIn(file: string): string {
  // It is made empty before the migration begins.
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  if (text === '') return 'no migration was begun'
  const { outcome, error } = JSON.parse(text) as Report
  return error === undefined ? `a migration is ${outcome}` : `${error.code}: ${error.text}`
}

let isSwept = false

/** For files of a benchmark; what benchmarks left that were killed goes, the first time. */
export function makeFolder(): string {
  if (!isSwept) {
    for (const name of staleFolders(readdirSync(tmpdir()), isAlive)) {
      rmSync(join(tmpdir(), name), { recursive: true, force: true })
    }
  }
  isSwept = true
  return mkdtempSync(join(tmpdir(), `godwit-bench-${process.pid}-`))
}

/** Our folders among those names whose process is gone. */
export function staleFolders(
  names: readonly string[],
  isRunning: (pid: number) => boolean,
): readonly string[] {
  return names.filter((name) => {
    const [, pid] = /^godwit-bench-(\d+)-/.exec(name) ?? []
    return pid !== undefined && !isRunning(Number(pid))
  })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/**
 * One migration between two processes.
 *
 * @param runFor - how long the guest runs at the destination
 * @param both - options of both sides
 * @throws when it was not right
 */
export async function migrate(
  godwit: readonly string[],
  guest: string,
  sendOptions: readonly string[],
  ends: Ends = loopback,
  runFor: string = runForDefault,
  both: readonly string[] = [],
  { receiveOptions, isRight }: GuestKind = startedGuest,
): Promise<{ source: Report; destination: Report }> {
  checkInterrupted()
  const folder = makeFolder()
  const file = (name: string): string => join(folder, `${name}.json`)
  const common = ['--insecure', '--quiet', ...both]
  const shared = (side: string): string[] => [...common, '--json', file(side)]
  const port = ends.freePort?.() ?? 0
  const listen = ['receive', '--listen', `${ends.host}:${port}`, '--once', '--run-for', runFor]
  const taken = [...listen, ...shared('destination'), ...receiveOptions]
  const receive = [...ends.destination.prefix, ...godwit, ...taken]
  const receiver = start(...splitCommand(receive), { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const ended = once(receiver, 'exit')
    const said = firstLine(receiver)
    // Where it ends before it listens, the source finds nobody, and says so.
    said.catch(() => {})
    const isKnown = port !== 0
    const address = isKnown ? `${ends.host}:${port}` : (await said).replace('listening ', '')
    await ends.listening?.(address)
    const to = (await ends.reach?.(address)) ?? address
    checkInterrupted()
    const send = [...ends.source.prefix, ...godwit, 'send', guest, '--to', to]
    await run(...splitCommand([...send, ...shared('source'), ...sendOptions])).catch((cause) => {
      throw failure(reasonIn(file('source')), { cause })
    })
    await ended
    const read = (name: string): Report => JSON.parse(readFileSync(file(name), 'utf8')) as Report
    const source = read('source')
    if (!isRight(source)) {
      throw new Error('a migration was not right; its figures mean nothing')
    }
    return { source, destination: read('destination') }
  } finally {
    receiver.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  }
}
