/**
 * `godwit conformance`: does an agent keep the specification?
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { CaseResult, Role, StartedSource } from '@godwit/conformance'
import {
  casesOf,
  conclude,
  destinationCases,
  formatCase,
  formatConformance,
  proofs,
  sourceCases,
  testDestination,
  testSource,
} from '@godwit/conformance'
import { GodwitError, parseDurationMs } from '@godwit/core'
import { parseAddress } from '@godwit/transport'
import { type Command, Option } from 'commander'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit } from './exit-code.ts'
import { addNames } from './name-list.ts'
import { checkWritable, note, print, writeJson } from './output.ts'
import { parseCount } from './settings.ts'

interface ConformanceSettings {
  readonly target?: string
  readonly role: Role
  readonly guest: { readonly kind: string; readonly options: Record<string, string | number> }
  readonly state?: string
  readonly run?: string
  readonly wait: number
  readonly timeout: number
  readonly every: number
  readonly only?: readonly string[]
  readonly list?: boolean
  readonly json?: string
}

const examples = `
A destination; guests that arrive are to stop by themselves, and to touch their pages:
  godwit receive --listen 127.0.0.1:7000 --run-for 100ms
  godwit conformance --target 127.0.0.1:7000 --guest writer,rate=1000

A source; the suite listens, and starts one for every case:
  godwit conformance --role source --target 127.0.0.1:7000 \\
    --run 'godwit send writer --memory 1MiB --warmup 1ms --to {address} --mode {mode}'`

/** Adds the command; `finish` gets the exit code. */
export function addConformanceCommand(program: Command, finish: (code: ExitCode) => void): void {
  program
    .command('conformance')
    .description('Play the specification against an agent, and tell which clauses it keeps')
    .option('--target <HOST:PORT>', 'where the destination listens; where the source is to dial')
    .addOption(
      new Option('--role <ROLE>', 'what is under test')
        .choices(['destination', 'source'])
        .default('destination'),
    )
    .addOption(
      new Option(
        '--guest <KIND[,NAME=VALUE...]>',
        'a guest that the destination knows; one that touches its pages shows more',
      )
        .argParser(parseGuest)
        .default({ kind: 'idle', options: {} }, 'idle'),
    )
    .option('--state <FILE>', "that guest's state package (default: that of Godwit's workloads)")
    .option(
      '--run <COMMAND>',
      'starts a source, whenever one is needed; {address} and {mode} (pre-copy or post-copy) are ' +
        'filled in. Without it, start it again and again by yourself',
    )
    .addOption(
      new Option('--wait <T>', 'how long a source may take to dial')
        .argParser(parseDurationMs)
        .default(60_000, '1 min'),
    )
    .addOption(
      new Option('--timeout <T>', 'how long an answer may take')
        .argParser(parseDurationMs)
        .default(5000, '5s'),
    )
    .option('--every <N>', 'of long lists of variants every n-th only', parseCount(1), 1)
    .option('--only <A,B>', 'clauses (C3.4) or cases (states/ or states/running)', addNames)
    .option('--list', 'list the cases with their clauses')
    .option('--json <FILE>', 'write the result (godwit.conformance/1); - is stdout')
    .addHelpText('after', examples)
    .action(async (settings: ConformanceSettings) => {
      finish(await run(settings))
    })
}

async function run(settings: ConformanceSettings): Promise<ExitCode> {
  const { role, json, target } = settings
  if (settings.list === true) {
    for (const { name, clauses } of casesOf(role).filter(wanted(settings))) {
      print(`${name.padEnd(32)} ${clauses.join(' ')}`)
    }
    if (settings.only === undefined) listProofs()
    return Exit.Done
  }
  if (target === undefined) throw new GodwitError('USAGE', 'conformance needs --target HOST:PORT')
  checkWritable(json)
  const results = await (role === 'destination'
    ? playDestination(settings, target)
    : playSource(settings, target))
  const conformance = conclude(role, target, results)
  if (json !== undefined) writeJson(json, conformance)
  if (json !== '-') print(formatConformance(conformance))
  return results.some(({ outcome }) => outcome === 'fail') ? Exit.Failed : Exit.Done
}

/** Clauses without a case. */
function listProofs(): void {
  print('\nNot seen from the network; what proves them for Godwit itself:')
  for (const { clause, file, title } of proofs) {
    print(`${clause.padEnd(7)} ${file}: ${title}`)
  }
}

/** Whether `--only` names a case, or one of its clauses. */
function wanted({ only }: ConformanceSettings) {
  return ({ name, clauses }: { name: string; clauses: readonly string[] }): boolean => {
    if (only === undefined) return true
    return only.some((one) => {
      const folder = one.endsWith('/') ? one : `${one}/`
      return clauses.includes(one) || name === one || name.startsWith(folder)
    })
  }
}

function pick<T extends { name: string; clauses: readonly string[] }>(
  cases: readonly T[],
  settings: ConformanceSettings,
): readonly T[] {
  const picked = cases.filter(wanted(settings))
  if (picked.length > 0) return picked
  throw new GodwitError('USAGE', 'No case has such a name or clause; see --list')
}

const told = (result: CaseResult): void => note(formatCase(result))

function playDestination(
  settings: ConformanceSettings,
  target: string,
): Promise<readonly CaseResult[]> {
  const { host, port } = tcpAddress(target)
  const { guest, timeout: timeoutMs, every } = settings
  return testDestination({
    host,
    port,
    guest,
    timeoutMs,
    every,
    cases: pick(destinationCases, settings),
    ...(settings.state === undefined ? {} : { state: readState(settings.state) }),
    ended: told,
  })
}

function playSource(settings: ConformanceSettings, target: string): Promise<readonly CaseResult[]> {
  const { host, port } = tcpAddress(target)
  const { run: command, wait: waitMs, timeout: timeoutMs, every } = settings
  const cases = pick(sourceCases, settings)
  return testSource({
    host,
    port,
    waitMs,
    timeoutMs,
    every,
    cases,
    ...(command === undefined ? {} : { start: (...about) => startSource(command, ...about) }),
    listening: (address) => {
      // What programs read is to be JSON and nothing else.
      if (settings.json === '-') note(`listening ${address}`)
      else print(`listening ${address}`)
    },
    began({ name, mode = 'pre-copy' }, index) {
      if (command !== undefined) return
      note(`case ${index + 1} of ${cases.length}, ${name}: takes sources of --mode ${mode}`)
    },
    ended: told,
  })
}

/** The suite speaks TCP. */
function tcpAddress(text: string): { readonly host: string; readonly port: number } {
  const { transport, host, port } = parseAddress(text)
  if (transport === 'tcp') return { host, port }
  throw new GodwitError('USAGE', 'The suite speaks TCP: give it HOST:PORT')
}

/** In a group of its own, so that it ends with whatever it started. */
function startSource(command: string, address: string, mode: string): StartedSource {
  const line = command.replaceAll('{address}', address).replaceAll('{mode}', mode)
  const child = spawn(line, { shell: true, detached: true, stdio: ['ignore', 'ignore', 'ignore'] })
  const ended = once(child, 'exit').catch(() => {})
  return {
    async stop() {
      endGroup(child)
      await ended
    },
  }
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

function readState(file: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file))
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    throw new GodwitError('FILE_UNREADABLE', `${file} cannot be read: ${reason}`)
  }
}

/** `KIND,name=value,...`: numbers are sent as numbers. Whether they are right the agent knows. */
function parseGuest(text: string): ConformanceSettings['guest'] {
  const [kind = '', ...parts] = text.split(',')
  const options = parts.map((part) => {
    const equals = part.indexOf('=')
    if (equals < 1) throw new GodwitError('USAGE', `"${part}" is not NAME=VALUE`)
    const value = part.slice(equals + 1)
    return [part.slice(0, equals), /^\d+$/.test(value) ? Number(value) : value] as const
  })
  return { kind, options: Object.fromEntries(options) }
}
