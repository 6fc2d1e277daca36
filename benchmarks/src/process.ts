/**
 * Processes that a benchmark starts, and ends.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Report } from '@godwit/core'

/** Runs a program to its end. @throws when it exits with anything but 0 */
export async function run(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}`)
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
    throw new Error('a process ended before it said anything')
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
    const child = spawn(program, ['--version'], { stdio: 'ignore' })
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
): Promise<{ source: Report; destination: Report }> {
  const folder = mkdtempSync(join(tmpdir(), 'godwit-bench-'))
  const file = (name: string): string => join(folder, `${name}.json`)
  const common = ['--insecure', '--quiet', ...both]
  const shared = (side: string): string[] => [...common, '--json', file(side)]
  const listen = ['receive', '--listen', `${ends.host}:0`, '--once', '--run-for', runFor]
  const receive = [...ends.destination.prefix, ...godwit, ...listen, ...shared('destination')]
  const receiver = spawn(...splitCommand(receive), { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const ended = once(receiver, 'exit')
    const address = (await firstLine(receiver)).replace('listening ', '')
    await ends.listening?.(address)
    const to = (await ends.reach?.(address)) ?? address
    const send = [...ends.source.prefix, ...godwit, 'send', guest, '--to', to]
    await run(...splitCommand([...send, ...shared('source'), ...sendOptions]))
    await ended
    const read = (name: string): Report => JSON.parse(readFileSync(file(name), 'utf8')) as Report
    const source = read('source')
    if (!(source.memory?.equal && source.guestProof?.continuous)) {
      throw new Error('a migration was not right; its figures mean nothing')
    }
    return { source, destination: read('destination') }
  } finally {
    receiver.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  }
}
