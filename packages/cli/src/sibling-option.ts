/**
 * Options of `receive` and `agent` about pages that need not travel: where to look for what a
 * source offers.
 *
 * @module
 */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { NAME_PATTERN } from '@godwit/catalog'
import { GodwitError } from '@godwit/core'
import type { Command } from 'commander'
import { Option } from 'commander'
import { parseKeepImage } from 'godwit'
import type { CatalogSettings } from './catalog-option.ts'

/** A file of raw memory, or a guest that is here or will come. */
export type SiblingName = { readonly file: string } | { readonly guest: string }

export interface SiblingSettings {
  readonly sibling?: readonly SiblingName[]
  readonly static?: 'auto' | 'none'
  readonly keepImage?: { readonly path: string; readonly bytesMax: number; isLimited: boolean }
}

/** Adds the options of {@link SiblingSettings}. @param kept - who writes to `--keep-image` */
export function addSiblingOptions(command: Command, kept: string): Command {
  return command
    .option(
      '--sibling <FILE|GUEST>',
      'where to look for static pages that sources offer: an image of memory, or a guest that ' +
        'runs here, by its name in the catalog or its session; again for more (default: guests ' +
        'here that are of the same kind). Files that the catalog names are searched, too. ' +
        'Files are looked through at the start, for up to 8 maps, by content; until that is ' +
        'done a migration searches by itself, 8 s at most',
      parseSibling,
    )
    .addOption(
      new Option(
        '--static <WHEN>',
        'auto: with --catalog, sources hear which static pages are here; none: no map is looked ' +
          'up, images of --keep-image are',
      )
        .choices(['auto', 'none'])
        .default('auto'),
    )
    .option(
      '--keep-image <DIR[,max=SIZE]>',
      `${kept}: only what changed since need come; with max the oldest beyond it are removed`,
      (text: string) => ({ ...parseKeepImage(text), isLimited: text.includes(',max=') }),
    )
}

/** For guests that `send` moves on. */
export function addImagesOutOption(command: Command): Command {
  return command.option(
    '--images-out <FILE>',
    'write by which keys the last guest that came has stored images, for `send --images`; it ' +
      'is a secret (mode 600)',
  )
}

/** A file that is there, or else what may be the name of a guest. */
function parseSibling(text: string, before: readonly SiblingName[] = []): readonly SiblingName[] {
  if (statSync(text, { throwIfNoEntry: false })?.isFile() === true) {
    return [...before, { file: resolve(text) }]
  }
  if (NAME_PATTERN.test(text)) return [...before, { guest: text }]
  throw new GodwitError(
    'USAGE',
    `--sibling ${text}: there is no such file, and no guest can be called so`,
  )
}

/**
 * What was asked for must be possible.
 *
 * @throws {GodwitError} `USAGE`
 */
export function checkSiblings(settings: SiblingSettings & CatalogSettings): void {
  if (settings.sibling === undefined) return
  if (settings.static === 'none') {
    throw new GodwitError('USAGE', '--sibling is of no use with --static none')
  }
  if (settings.catalog === undefined) {
    const text =
      '--sibling takes the map of what to look for from a catalog: --catalog URL is missing'
    throw new GodwitError('USAGE', text)
  }
}
