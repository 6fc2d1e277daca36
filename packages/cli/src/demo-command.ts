/**
 * `godwit demo`: both agents as two processes on this machine.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { GodwitError } from '@godwit/core'
import type { Command } from 'commander'
import { listenForTraffic } from 'godwit'
import type { CompetingSettings } from './competing-option.ts'
import { addCompetingOption, parseCompeting } from './competing-option.ts'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit } from './exit-code.ts'
import { guestHelp } from './guest-help.ts'
import { parseStartable } from './guests.ts'
import { listenToInterrupts } from './interrupt.ts'
import { checkWritable, note } from './output.ts'
import type { PolicySettings } from './policy-file.ts'
import type { SecuritySettings } from './security-options.ts'
import { addSecurityOptions, readSecurity } from './security-options.ts'
import type { MigrationSettings } from './settings.ts'
import { addMigrationOptions } from './settings.ts'

type SourceSettings = MigrationSettings & PolicySettings

interface DemoSettings extends SourceSettings, SecuritySettings, CompetingSettings {
  readonly transport: 'tcp' | 'ws'
  readonly runFor: string
  readonly json?: string
  readonly quiet?: boolean
}

interface MoveSettings extends DemoSettings {
  readonly image?: boolean
  /** Ctrl-C or SIGTERM: both sides end then, and with them the guest. */
  readonly interrupted: Promise<unknown>
}

const guestDefault = 'writer,wss=100MiB,rate=5000,style=few'

/** Adds the command; `finish` gets the exit code. */
export function addDemoCommand(program: Command, finish: (code: ExitCode) => void): void {
  const command = program
    .command('demo')
    .description('Watch a running guest move from one process to another on this machine')
    .argument('[guest]', `NAME[,key=value...] (default: ${guestDefault}, then a real file)`)
  addCompetingOption(addSecurityOptions(addMigrationOptions(command)), true)
    .option('--transport <NAME>', 'tcp or ws (WebSocket)', parseTransport, 'tcp')
    .option('--run-for <T>', 'let the guest run on at the destination', '1s')
    .option('--json <FILE>', "write the source's report; - is stdout")
    .option('--quiet', 'print nothing but errors')
    .addHelpText(
      'after',
      `\n${guestHelp()}\n\nExample:\n  godwit demo writer,rate=25000 --memory 512MiB`,
    )
    .action(async (guest: string | undefined, settings: DemoSettings, self: Command) => {
      finish(await demo(guest, settings, self))
    })
}

function parseTransport(text: string): 'tcp' | 'ws' {
  if (text === 'tcp' || text === 'ws') return text
  throw new GodwitError('USAGE', `"${text}" is not a transport; there are tcp and ws`)
}

async function demo(
  guest: string | undefined,
  settings: DemoSettings,
  self: Command,
): Promise<ExitCode> {
  parseStartable(guest ?? guestDefault, settings.memory)
  checkWritable(settings.json)
  readSecurity(settings)
  const interrupts = listenToInterrupts()
  try {
    return await moveInTurn(guest, { ...settings, interrupted: interrupts.first }, self)
  } finally {
    interrupts.stop()
  }
}

async function moveInTurn(
  guest: string | undefined,
  settings: MoveSettings,
  self: Command,
): Promise<ExitCode> {
  const first = await move(guest ?? guestDefault, settings, self)
  if (first !== Exit.Done || guest !== undefined || settings.json !== undefined) return first
  if (settings.quiet !== true) note('\nAnd memory with real content: the program that runs this.')
  return move(`image,file=${process.execPath}`, { ...settings, image: true }, self)
}

/** The source takes all of these as they were typed; the type has none forgotten. */
const forwarded: Readonly<Record<keyof SourceSettings, true>> = {
  memory: true,
  preset: true,
  policy: true,
  mode: true,
  fetch: true,
  stop: true,
  select: true,
  verify: true,
  hash: true,
  encode: true,
  tracker: true,
  pageBytes: true,
  lanes: true,
  reverse: true,
  timeout: true,
  recoverFor: true,
  warmup: true,
  maxBandwidth: true,
  pauseBandwidth: true,
  postCopyBandwidth: true,
  bandwidth: true,
  throttle: true,
}

/** Both sides take these. */
const shared: Readonly<Record<keyof SecuritySettings, true>> = {
  pskFile: true,
  tlsCert: true,
  tlsKey: true,
  tlsCa: true,
  tlsPeer: true,
}

function sharedArguments(settings: DemoSettings, self: Command): string[] {
  return (Object.keys(shared) as (keyof SecuritySettings)[]).flatMap((name) => {
    const value = settings[name]
    return value === undefined ? [] : [flagOf(name, self), value]
  })
}

function flagOf(name: string, self: Command): string {
  return self.options.find((option) => option.attributeName() === name)!.long!
}

function forwardedArguments(settings: DemoSettings, self: Command, image: boolean): string[] {
  return (Object.keys(forwarded) as (keyof SourceSettings)[]).flatMap((name) => {
    // The real file brings its own size.
    if (self.getOptionValueSource(name) !== 'cli' || (image && name === 'memory')) return []
    return [flagOf(name, self), spell(name, settings[name]!)]
  })
}

/** A value as the command line takes it, with its unit. */
function spell(name: keyof SourceSettings, value: string | number): string {
  if (name === 'warmup' || name === 'recoverFor') return `${value}ms`
  return name.endsWith('Bandwidth') ? `${Number(value) * 8}bit` : String(value)
}

async function move(guest: string, settings: MoveSettings, self: Command): Promise<ExitCode> {
  const children: ChildProcess[] = []
  const sink = await sinkOf(settings)
  const interrupted = settings.interrupted.then(() => Exit.Cancelled)
  try {
    return await Promise.race([
      moveBetween(children, guest, settings, self, sink?.option),
      interrupted,
    ])
  } finally {
    // The source may start in the last moment.
    while (children.length > 0) await Promise.all(children.splice(0).map(endOf))
    sink?.close()
  }
}

/** @param children - gets both sides as they start */
async function moveBetween(
  children: ChildProcess[],
  guest: string,
  settings: MoveSettings,
  self: Command,
  competing: string | undefined,
): Promise<ExitCode> {
  const quiet = settings.quiet === true ? ['--quiet'] : []
  const security = sharedArguments(settings, self)
  const brief = ['--once', '--run-for', settings.runFor, '--quiet']
  const destination = godwit(
    ['receive', '--listen', '127.0.0.1:0', ...brief, ...security],
    ['ignore', 'pipe', 'inherit'],
  )
  children.push(destination)
  const address = await listeningAddress(destination)
  if (settings.quiet !== true) {
    note(`destination: process ${destination.pid}, listening at ${address}`)
  }
  const to = settings.transport === 'ws' ? `ws://${address}` : address
  const json = settings.json === undefined ? [] : ['--json', settings.json]
  const options = forwardedArguments(settings, self, settings.image === true)
  const beside = competing === undefined ? [] : ['--competing', competing]
  const send = ['send', guest, '--to', to, ...security, ...options, ...json, ...quiet]
  const source = godwit([...send, ...beside], 'inherit')
  children.push(source)
  if (settings.quiet !== true) note(`source: process ${source.pid}`)
  const code = await exitOf(source)
  if (code === Exit.Done) await exitOf(destination)
  return code
}

/** So long a side may take to end by itself. */
const graceMs = 5000

/** Asks a process to end, then makes it. */
async function endOf(child: ChildProcess): Promise<void> {
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
  child.kill('SIGTERM')
  await exitOf(child)
  clearTimeout(timer)
}

/** Where competing traffic goes: here, so that neither agent has to do with it. */
async function sinkOf({
  competing,
}: CompetingSettings): Promise<{ option: string; close(): void } | undefined> {
  if (competing === undefined) return undefined
  if (parseCompeting(competing).to !== undefined) return { option: competing, close: () => {} }
  const sink = await listenForTraffic('127.0.0.1:0')
  return { option: `${competing},to=${sink.address}`, close: () => sink.close() }
}

function godwit(
  args: string[],
  stdio: 'inherit' | ('ignore' | 'pipe' | 'inherit')[],
): ChildProcess {
  return spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], { stdio })
}

function listeningAddress(destination: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    createInterface({ input: destination.stdout! }).on('line', (line) => {
      if (line.startsWith('listening ')) resolve(line.slice('listening '.length))
    })
    destination.once('exit', (code) =>
      reject(new GodwitError('INTERNAL', `The destination ended with exit code ${code}`)),
    )
  })
}

function exitOf(child: ChildProcess): Promise<ExitCode> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return Promise.resolve((child.exitCode ?? Exit.Failed) as ExitCode)
  }
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve((code ?? Exit.Failed) as ExitCode))
  })
}
