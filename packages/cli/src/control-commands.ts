/**
 * `godwit status`, `set`, `switch`, `recover` and `cancel`: talk to an agent on this machine.
 *
 * @module
 */
import { GodwitError, formatBytes, formatDurationMs, formatRate, formatShare } from '@godwit/core'
import Table from 'cli-table3'
import type { Command } from 'commander'
import { controlOption } from './control-option.ts'
import type { ControlOptions } from './control-socket.ts'
import { callControl } from './control-connection.ts'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit } from './exit-code.ts'
import { print, printJson } from './output.ts'
import { printable } from './printable.ts'

interface ControlSettings {
  readonly control: string
  readonly json?: boolean
}

const guestHelp = 'its name, where the agent is `godwit agent`'

/** Adds the commands; `finish` gets the exit code. */
export function addControlCommands(program: Command, finish: (code: ExitCode) => void): void {
  const add = (name: string, description: string): void => {
    program
      .command(name)
      .description(description)
      .argument('[guest]', guestHelp)
      .addOption(controlOption())
      .option('--json', 'print the answer as JSON')
      .addHelpText('after', `\nExample:\n  godwit ${name} --control /run/godwit.sock`)
      .action(async (guest: string | undefined, settings: ControlSettings) => {
        tell(settings, await callControl(settings.control, name, named(guest)))
        finish(Exit.Done)
      })
  }
  program
    .command('set')
    .description('Change a migration that is going on, or a relay')
    .usage('[options] [guest] <option...>')
    .argument(
      '<option...>',
      'max-bandwidth=RATE, or none; in the place of --bandwidth, too. Of a relay: to=HOST:PORT',
    )
    .addOption(controlOption())
    .addHelpText('after', '\nExample:\n  godwit set --control /run/godwit.sock max-bandwidth=1Gbit')
    .action(async (words: string[], settings: ControlSettings) => {
      const [guest, options] = splitName(words)
      const answer = await callControl(settings.control, 'set', {
        ...parseOptions(options),
        ...named(guest),
      })
      print(formatAnswer(answer))
      finish(Exit.Done)
    })
  add('status', 'Tell what an agent is doing')
  add('switch', 'Go on with post-copy when the round has ended (`send --mode hybrid`)')
  program
    .command('recover')
    .description('Try at once to reach a destination that was lost after the hand-over')
    .argument('[guest]', guestHelp)
    .addOption(controlOption())
    .option(
      '--fenced',
      'the destination is dead, and stays so, upon your word: let the guest go on at the source, ' +
        'from its last checkpoint or as it was handed over',
    )
    .option('--json', 'print the answer as JSON')
    .addHelpText('after', '\nExample:\n  godwit recover --control /run/godwit.sock --fenced')
    .action(
      async (
        guest: string | undefined,
        settings: ControlSettings & { readonly fenced?: boolean },
      ) => {
        const options: ControlOptions = settings.fenced === true ? { fenced: 'true' } : {}
        const all = { ...options, ...named(guest) }
        // Whoever is to be asked may be far away.
        tell(settings, await callControl(settings.control, 'recover', all, recoverTimeoutMs))
        finish(Exit.Done)
      },
    )
  add('cancel', 'Stop a migration; the guest goes on at its source')
}

const recoverTimeoutMs = 60_000

/** Where a guest is named. */
export function named(guest: string | undefined): ControlOptions {
  return guest === undefined ? {} : { guest }
}

/** The first may be a guest's name, which has no `=`. */
function splitName(words: readonly string[]): [string | undefined, readonly string[]] {
  const [first, ...others] = words
  return first === undefined || first.includes('=') ? [undefined, words] : [first, others]
}

function tell({ json }: ControlSettings, answer: object): void {
  if (json === true) printJson(answer, 2)
  else print(formatAnswer(answer))
}

function parseOptions(options: readonly string[]): ControlOptions {
  if (options.length === 0) throw new GodwitError('USAGE', 'Set what? Like max-bandwidth=1Gbit')
  const pairs = options.map((option) => {
    const at = option.indexOf('=')
    if (at < 1) throw new GodwitError('USAGE', `"${option}" is not NAME=VALUE`)
    const name = option.slice(0, at)
    if (name === 'guest') throw new GodwitError('USAGE', 'A guest is named in front, without =')
    return [name, option.slice(at + 1)]
  })
  return Object.fromEntries(pairs) as ControlOptions
}

/** A table of what an agent answered. */
export function formatAnswer(answer: object): string {
  const table = new Table({ style: { head: [], border: [] } })
  for (const [key, value] of Object.entries(answer)) table.push([key, formatValue(key, value)])
  return table.toString()
}

function formatValue(key: string, value: unknown): string {
  if (Array.isArray(value)) return value.map((one) => formatItem(one)).join('\n') || 'none'
  if (typeof value !== 'number') return printable(String(value))
  if (key.endsWith('Ms')) return formatDurationMs(value)
  if (key.endsWith('Bytes')) return formatBytes(value)
  if (key === 'throttle') return formatShare(value)
  if (key === 'dirtyRate' || key === 'bandwidth') return formatRate(value)
  return String(value)
}

function formatItem(item: unknown): string {
  if (typeof item !== 'object' || item === null) return printable(String(item))
  return Object.entries(item)
    .map(([key, value]) => `${key} ${formatValue(key, value)}`)
    .join(', ')
}
