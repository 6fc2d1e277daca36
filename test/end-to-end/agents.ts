/**
 * `godwit agent` as processes, and questions to them without a process of their own.
 *
 * @module
 */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Report } from '@godwit/core'
import type { GuestLine } from '../../packages/cli/src/agent/guest-table.ts'
import { callControl } from '../../packages/cli/src/control-connection.ts'
import type { GodwitProcess } from './process.ts'
import { freshPath, startGodwit } from './process.ts'

/** An agent that listens. */
export interface AgentProcess {
  readonly process: GodwitProcess
  readonly address: string
  readonly stateDir: string
  readonly control: string
}

/** `godwit agent` on a free port, with a state directory of its own (or that of `--state-dir`). */
export async function startAgent(...args: string[]): Promise<AgentProcess> {
  const at = args.indexOf('--state-dir')
  const stateDir = at < 0 ? freshPath('state') : args[at + 1]!
  const own = at < 0 ? ['--state-dir', stateDir] : []
  const process = startGodwit('agent', '--listen', '127.0.0.1:0', ...own, ...args)
  const [, address] = await process.line(/^listening (.+)$/)
  return { process, address: address!, stateDir, control: join(stateDir, 'control') }
}

/** A small guest that stores all the time, and counts its steps. */
export async function runGuest({ control }: AgentProcess, name: string): Promise<void> {
  const line = ['--memory=4MiB', `--name=${name}`, 'writer,wss=1MiB,rate=2000']
  await callControl(control, 'run', { line: JSON.stringify(line) }, 30_000)
}

export async function guestsOf({ control }: AgentProcess): Promise<readonly GuestLine[]> {
  const { guests } = (await callControl(control, 'ls')) as { guests: readonly GuestLine[] }
  return guests
}

/** As `name: state`. */
export async function statesOf(agent: AgentProcess): Promise<Readonly<Record<string, string>>> {
  const guests = await guestsOf(agent)
  return Object.fromEntries(guests.map(({ name, state }) => [name, state]))
}

/** Asks again and again until the guest is as it should be. */
export async function guestWhen(
  agent: AgentProcess,
  name: string,
  isWanted: (guest: GuestLine) => boolean,
): Promise<GuestLine> {
  for (;;) {
    const guest = (await guestsOf(agent)).find((one) => one.name === name)
    if (guest !== undefined && isWanted(guest)) return guest
    await setTimeout(3)
  }
}

/** Waits until an agent knows of no guest any more. */
export async function allGone(agent: AgentProcess): Promise<void> {
  while ((await guestsOf(agent)).length > 0) await setTimeout(3)
}

/** Sends a guest on its way. @returns by what the agent knows the migration */
export async function beginMigration(
  { control }: AgentProcess,
  name: string,
  to: AgentProcess,
  ...options: string[]
): Promise<string> {
  const line = JSON.stringify([`--to=${to.address}`, ...options, name])
  const { migration } = (await callControl(control, 'migrate', { line })) as { migration: string }
  return migration
}

export async function outcomeOf({ control }: AgentProcess, migration: string): Promise<Report> {
  for (;;) {
    const answer = await callControl(control, 'outcome', { migration })
    if ('report' in answer) return answer.report as Report
    await setTimeout(3)
  }
}

/** Moves a guest that has run for some steps, and waits until it is whole there. */
export async function move(
  from: AgentProcess,
  name: string,
  to: AgentProcess,
  ...options: string[]
): Promise<Report> {
  await guestWhen(from, name, ({ steps = 0, state }) => state === 'running' && steps > 50)
  const report = await outcomeOf(from, await beginMigration(from, name, to, ...options))
  return report
}

/** The lines of an agent's log. Throws where one is no JSON. */
export function logOf({ process }: AgentProcess): readonly Record<string, unknown>[] {
  const lines = process.stderr.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** A hook that writes down what it was told, and does `more`. */
export function writeHook(more = ''): { readonly file: string; readonly told: () => string[] } {
  const [file, log] = [freshPath('hook.sh'), freshPath('hook.log')]
  const facts = ['STAGE', 'GUEST', 'ROLE', 'KIND', 'MEMORY_BYTES', 'SESSION', 'PEER', 'ERROR']
  const words = facts.map((name) => `$GODWIT_${name}`).join(' ')
  writeFileSync(file, `#!/bin/sh\necho "${words}" >> ${log}\n${more}\n`)
  chmodSync(file, 0o700)
  const read = (): string[] => (existsSync(log) ? readFileSync(log, 'utf8').split('\n') : [])
  return { file, told: () => read().filter((line) => line !== '') }
}
