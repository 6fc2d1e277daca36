/**
 * `godwit run`, `ls`, `migrate` and `stop`: guests of a `godwit agent`.
 *
 * @module
 */
import { formatBytes, formatCount, formatDurationMs } from '@godwit/core'
import type { Command } from 'commander'
import type { GuestLine } from './agent/guest-table.ts'
import { recordOptions } from './command-line.ts'
import { controlOption } from './control-option.ts'
import { callControl } from './control-connection.ts'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit } from './exit-code.ts'
import { guestHelp } from './guest-help.ts'
import type { MigrateSettings } from './guest-options.ts'
import { addMigrateOptions, addRunOptions } from './guest-options.ts'
import { followMigration } from './migration-follower.ts'
import { checkWritable, print, printJson } from './output.ts'
import { formatTable } from './plain-table.ts'

interface ClientSettings {
  readonly control: string
  readonly json?: boolean
}

/** Memory is filled before the guest runs; a slow machine does 100 MB/s. */
const runTimeoutMs = 600_000
/** Ending a guest waits for its threads. */
const stopTimeoutMs = 30_000

const runExample = 'godwit run writer,rate=1000 --name web1 --control state/control'

/** Adds the commands; `finish` gets the exit code. */
export function addGuestCommands(program: Command, finish: (code: ExitCode) => void): void {
  addRun(program, finish)
  addMigrate(program, finish)
  program
    .command('ls')
    .description('List the guests of an agent')
    .addOption(controlOption())
    .option('--json', 'print them as JSON')
    .addHelpText('after', '\nExample:\n  godwit ls --control state/control')
    .action(async ({ control, json }: ClientSettings) => {
      const { guests } = (await callControl(control, 'ls')) as { guests: readonly GuestLine[] }
      if (json === true) printJson(guests, 2)
      else print(formatGuests(guests))
      finish(Exit.Done)
    })
  program
    .command('stop')
    .description('End a guest of an agent, or drop what is left of one; let go of a VM')
    .argument('<guest>', 'its name')
    .addOption(controlOption())
    .addHelpText('after', '\nExample:\n  godwit stop web1 --control state/control')
    .action(async (guest: string, { control }: ClientSettings) => {
      const { vm } = (await callControl(control, 'stop', { guest }, stopTimeoutMs)) as {
        readonly vm?: string
      }
      print(vm === undefined ? `${guest} is ended` : `${guest} is let go of; its VM stays: ${vm}`)
      finish(Exit.Done)
    })
}

function addRun(program: Command, finish: (code: ExitCode) => void): void {
  const command = addRunOptions(
    program.command('run').description('Start a guest in an agent, or let it take hold of a VM'),
  )
  const said = recordOptions(command)
  command
    .addOption(controlOption())
    .option('--json', 'print what it is as JSON')
    .addHelpText('after', `\n${guestHelp()}\n\nExample:\n  ${runExample}`)
    .action(async (guest: string, { control, json }: ClientSettings) => {
      const options = { line: JSON.stringify([...said, '--', guest]), directory: process.cwd() }
      const started = (await callControl(control, 'run', options, runTimeoutMs)) as GuestLine
      if (json === true) printJson(started, 2)
      else print(`${started.name} runs (${started.kind}, ${formatBytes(started.memoryBytes)})`)
      finish(Exit.Done)
    })
}

interface MigrateCommandSettings extends MigrateSettings {
  readonly control: string
  readonly detach?: boolean
  readonly json?: string
  readonly quiet?: boolean
}

function addMigrate(program: Command, finish: (code: ExitCode) => void): void {
  const command = addMigrateOptions(
    program.command('migrate').description('Move a guest of an agent, running, to a destination'),
  )
  const said = recordOptions(command)
  command
    .addOption(controlOption())
    .option('--detach', 'do not wait for the end')
    .option('--json <FILE>', 'write the report; - is stdout')
    .option('--quiet', 'print nothing but errors')
    .addHelpText(
      'after',
      '\nCtrl-C cancels the migration; a second one, and SIGTERM, only end the waiting for it.' +
        '\n\nExample:\n  godwit migrate web1 --to 127.0.0.1:7001 --control state/control',
    )
    .action(async (guest: string, settings: MigrateCommandSettings) => {
      const { control, detach, json } = settings
      checkWritable(json)
      const options = { line: JSON.stringify([...said, '--', guest]), directory: process.cwd() }
      const { migration } = (await callControl(control, 'migrate', options)) as {
        migration: string
      }
      if (detach === true) {
        print(`${guest} is on its way to ${settings.to}; godwit status ${guest} tells how far`)
        finish(Exit.Done)
      } else finish(await followMigration({ ...settings, guest, migration }))
    })
}

const columns = ['name', 'kind', 'memory', 'state', 'steps', 'since', 'peer'] as const

function formatGuests(guests: readonly GuestLine[]): string {
  if (guests.length === 0) return 'no guests'
  const rows = guests.map(({ name, kind, memoryBytes, state, steps, since, peer = '' }) => [
    name,
    kind,
    formatBytes(memoryBytes),
    state,
    steps === undefined ? '' : formatCount(steps),
    `${formatDurationMs(Math.max(0, Date.now() - Date.parse(since)))} ago`,
    peer,
  ])
  return formatTable(columns, rows, ['memory', 'steps'])
}
