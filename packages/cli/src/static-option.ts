/**
 * Options of `send` about pages that need not travel: the static map of the guest's kind, and
 * stored images of its own past.
 *
 * @module
 */
import { GodwitError, hasRounds } from '@godwit/core'
import { MODE_DEFAULT, parseMode, parseSending } from '@godwit/policy'
import type { Command } from 'commander'
import { Option } from 'commander'
import { parseKeepImage } from 'godwit'
import type { CatalogSettings } from './catalog-option.ts'
import type { MigrationSettings } from './settings.ts'

const modes = { 'escdr-content': 'content', 'escdr-position': 'position' } as const
export type StaticMode = (typeof modes)[keyof typeof modes]

export interface StaticSettings {
  readonly static?: keyof typeof modes | 'none'
  /** A file with keys. */
  readonly images?: string
  readonly keepImage?: { readonly path: string; readonly bytesMax: number }
}

/** Adds the options of {@link StaticSettings}. */
export function addStaticOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--static <NAME>',
        'pages that guests of its --os and --hypervisor have in common go by their numbers, ' +
          'found by what they hold (escdr-content, default with --catalog) or by where they are ' +
          '(escdr-position); none: no map is looked up, images of --images are',
      ).choices([...Object.keys(modes), 'none']),
    )
    .option(
      '--images <FILE>',
      'stored images of this guest, as `receive --images-out` wrote them: only what changed goes',
    )
    .option(
      '--keep-image <DIR[,max=SIZE]>',
      'store its memory here once it has moved, for when it comes back; the oldest images make ' +
        'room (max 16GiB)',
      parseKeepImage,
    )
}

/** How pages of a static map are to be looked up; undefined where there is nothing to load. */
export function staticModeOf(
  settings: StaticSettings & MigrationSettings & CatalogSettings,
): StaticMode | undefined {
  const { static: name = 'escdr-content', catalog } = settings
  if (name === 'none' || catalog === undefined) return undefined
  return looksUp(settings) && isPairKnown(settings) ? modes[name] : undefined
}

/** Whether pages are looked up that need not travel, where there are any. */
export function looksUp(settings: MigrationSettings): boolean {
  return hasRounds(parseMode(settings.mode ?? MODE_DEFAULT).mode) && !isRaw(settings)
}

function isRaw({ select, encode }: MigrationSettings): boolean {
  return parseSending(select, encode).encode.raw
}

/** It is said, or the catalog may know. */
function isPairKnown({ os, hypervisor, vmName }: CatalogSettings): boolean {
  return (os !== undefined && hypervisor !== undefined) || vmName !== undefined
}

/**
 * What was asked for must be possible.
 *
 * @throws {GodwitError} `USAGE`
 */
export function checkStatic(settings: StaticSettings & MigrationSettings & CatalogSettings): void {
  const { static: name = 'none', images, catalog, mode = MODE_DEFAULT } = settings
  if (images !== undefined && isRaw(settings)) refuse('--images', 'is of no use with --encode raw')
  const isWithoutRounds = !hasRounds(parseMode(mode).mode)
  if (images !== undefined && isWithoutRounds) {
    refuse('--images', `are looked through in rounds, and --mode ${mode} has none`)
  }
  if (name === 'none') return
  const option = `--static ${name}`
  if (catalog === undefined) refuse(option, 'takes a map from a catalog: --catalog URL is missing')
  if (!isPairKnown(settings)) {
    const missing = '--os NAME/VERSION and --hypervisor NAME/VERSION are missing'
    refuse(option, `must know what the guest is: ${missing} (or --vm-name, if the catalog knows)`)
  }
  if (isRaw(settings)) refuse(option, 'is of no use with --encode raw')
  if (isWithoutRounds) {
    refuse(option, `looks pages up in rounds, and --mode ${mode} has none`)
  }
}

function refuse(option: string, reason: string): never {
  throw new GodwitError('USAGE', `${option} ${reason}`)
}
