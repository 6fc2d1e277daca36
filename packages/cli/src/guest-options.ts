/**
 * Options of `run` and `migrate`. The agent reads them once more, with this same code.
 *
 * @module
 */
import type { Command } from 'commander'
import type { PolicySettings } from './policy-file.ts'
import type { StartSettings, TransferSettings } from './settings.ts'
import { addStartOptions, addTransferOptions, parseCount } from './settings.ts'

export interface RunSettings extends StartSettings {
  readonly name?: string
}

export interface MigrateSettings extends TransferSettings, PolicySettings {
  readonly to: string
  readonly retry: number
}

/** `GUEST` and the options of {@link RunSettings}. */
export function addRunOptions(command: Command): Command {
  return addStartOptions(command.argument('<guest>', 'NAME[,key=value...]; see below')).option(
    '--name <NAME>',
    'what it is to be called (default: made from its kind)',
  )
}

/** `GUEST` and the options of {@link MigrateSettings}. */
export function addMigrateOptions(command: Command): Command {
  command.argument('<guest>', 'the name of a guest that runs in the agent')
  return addTransferOptions(
    command.requiredOption('--to <ADDRESS>', 'destination: HOST:PORT or ws://HOST:PORT'),
  ).option(
    '--retry <N>',
    'try again so often after a failure before the hand-over',
    parseCount(0),
    0,
  )
}
