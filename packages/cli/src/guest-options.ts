/**
 * Options of `run` and `migrate`. The agent reads them once more, with this same code.
 *
 * @module
 */
import { parseName, parseRelease } from '@godwit/catalog'
import type { Command } from 'commander'
import { captureHelp } from './capture-option.ts'
import type { CatalogSettings } from './catalog-option.ts'
import { catalogOption } from './catalog-option.ts'
import type { CompetingSettings } from './competing-option.ts'
import { addCompetingOption } from './competing-option.ts'
import type { PolicySettings } from './policy-file.ts'
import type { StartSettings, TransferSettings } from './settings.ts'
import { addStartOptions, addTransferOptions, parseCount } from './settings.ts'
import type { StaticSettings } from './static-option.ts'
import { addStaticOptions } from './static-option.ts'

export interface RunSettings extends StartSettings, Pick<CatalogSettings, 'os' | 'hypervisor'> {
  readonly name?: string
}

export interface MigrateSettings
  extends TransferSettings,
    PolicySettings,
    StaticSettings,
    CompetingSettings,
    MapSettings {
  readonly to: string
  readonly retry: number
  readonly capture?: string
}

/** By what the guest's static map is found. */
export type MapSettings = Pick<CatalogSettings, 'catalog' | 'vmName' | 'os' | 'hypervisor'>

/** `GUEST` and the options of {@link RunSettings}. */
export function addRunOptions(command: Command): Command {
  addStartOptions(command.argument('<guest>', 'NAME[,key=value...]; see below')).option(
    '--name <NAME>',
    'what it is to be called, in the catalog of the agent, too (default: made from its kind)',
  )
  return addReleases(command)
}

/** What the guest is. */
function addReleases(command: Command): Command {
  return command
    .option('--os <NAME/VERSION>', 'its operating system, like debian/12', parseRelease)
    .option('--hypervisor <NAME/VERSION>', 'its hypervisor, like qemu/8.2', parseRelease)
}

/** `GUEST` and the options of {@link MigrateSettings}. */
export function addMigrateOptions(command: Command): Command {
  command.argument('<guest>', 'the name of a guest that runs in the agent')
  addTransferOptions(
    command.requiredOption('--to <ADDRESS>', 'destination: HOST:PORT or ws://HOST:PORT'),
  )
  addCompetingOption(addMapOptions(addStaticOptions(command)), false)
  return command
    .option(
      '--retry <N>',
      'try again so often after a failure before the hand-over',
      parseCount(0),
      0,
    )
    .option('--capture <FILE>', captureHelp)
}

function addMapOptions(command: Command): Command {
  return addReleases(
    command
      .addOption(catalogOption('where to take static maps from (default: that of the agent)'))
      .option('--vm-name <NAME>', 'what the guest is called there (default: as here)', parseName),
  )
}
