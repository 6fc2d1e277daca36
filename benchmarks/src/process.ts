/**
 * Processes that a benchmark starts, and ends.
 *
 * @module
 */
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

/** Whether a program is installed. */
export async function isInstalled(program: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(program, ['--version'], { stdio: 'ignore' })
    child.on('error', () => resolve(false))
    child.on('exit', (code) => resolve(code === 0))
  })
}

/** One migration between two processes on loopback. @throws when it was not right */
export async function migrate(
  godwit: readonly string[],
  guest: string,
  sendOptions: readonly string[],
): Promise<{ source: Report; destination: Report }> {
  const folder = mkdtempSync(join(tmpdir(), 'godwit-bench-'))
  const [program, ...first] = godwit as [string, ...string[]]
  const file = (name: string): string => join(folder, `${name}.json`)
  const receiver = spawn(
    program,
    [
      ...first,
      'receive',
      '--listen',
      '127.0.0.1:0',
      '--once',
      '--run-for',
      '200ms',
      '--quiet',
      '--json',
      file('destination'),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  try {
    const ended = once(receiver, 'exit')
    const lines = createInterface({ input: receiver.stdout })
    const [line] = (await once(lines, 'line')) as [string]
    const to = line.replace('listening ', '')
    const options = ['--to', to, '--quiet', '--json', file('source'), ...sendOptions]
    await run(program, [...first, 'send', guest, ...options])
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
