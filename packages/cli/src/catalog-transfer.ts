/**
 * `godwit catalog export` and `import`: all of it as a file.
 *
 * @module
 */
import { createReadStream, statSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Catalog, ImportSource, Imported } from '@godwit/catalog'
import { GodwitError } from '@godwit/core'
import type { Command } from 'commander'
import type { CatalogCommandSettings } from './catalog-command.ts'
import { catalogCommand, withCatalog } from './catalog-command.ts'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit } from './exit-code.ts'
import { checkTarget, writeLines } from './export-target.ts'
import { note } from './output.ts'

const exportHelp = `
A line of JSON for each entry, static maps included, which say what guests' memory has in common:
the file is for its owner only. It takes the place of one that is there once it is whole. Entries
that have expired are exported, too.

Example:
  godwit catalog export fleet.jsonl --catalog fleet.db`

const importHelp = `
Entries take the place of those of the same name; others stay. Where anything in the file is not as
it must be, nothing is imported, and the text says which line it is.

Example:
  godwit catalog import fleet.jsonl --catalog postgres://godwit@db.example/fleet`

/** Adds the commands to `godwit catalog`. */
export function addCatalogTransferCommands(
  catalog: Command,
  finish: (code: ExitCode) => void,
): void {
  catalogCommand(catalog, 'export', 'Write all that a catalog has to a file')
    .argument('<file>', '- is stdout')
    .addHelpText('after', exportHelp)
    .action(async (file: string, settings: CatalogCommandSettings) => {
      if (settings.catalog !== undefined) checkTarget(file, settings.catalog)
      await withCatalog(settings, false, (opened) => exportTo(file, opened))
      finish(Exit.Done)
    })
  catalogCommand(catalog, 'import', 'Take in what `export` wrote')
    .argument('<file>', '- is stdin')
    .addHelpText('after', importHelp)
    .action(async (file: string, settings: CatalogCommandSettings) => {
      await withCatalog(settings, true, async (opened) => {
        note(importedText(await opened.import(sourceOf(file))))
      })
      finish(Exit.Done)
    })
}

async function exportTo(file: string, catalog: Catalog): Promise<void> {
  if (file !== '-') return writeLines(file, catalog.export())
  try {
    await pipeline(Readable.from(catalog.export()), process.stdout, { end: false })
  } catch (thrown) {
    // Nobody reads the rest.
    if ((thrown as NodeJS.ErrnoException).code !== 'EPIPE') throw thrown
  }
}

/** A file is read twice; what comes by a pipe comes once. */
function sourceOf(file: string): ImportSource {
  const isFile = file !== '-' && statSync(file, { throwIfNoEntry: false })?.isFile() === true
  return isFile ? () => readFrom(file) : readFrom(file)
}

async function* readFrom(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* file === '-' ? process.stdin : createReadStream(file)
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    throw new GodwitError('FILE_UNREADABLE', `${file} cannot be read: ${reason}`)
  }
}

const words: Readonly<Record<string, readonly [one: string, more: string]>> = {
  machine: ['machine', 'machines'],
  link: ['link', 'links'],
  vm: ['guest', 'guests'],
  map: ['static map', 'static maps'],
  learning: ['learning state', 'learning states'],
}

function importedText(imported: Imported): string {
  const parts = Object.entries(imported).map(([kind, count]) => {
    const [one, more] = words[kind]!
    return `${count} ${count === 1 ? one : more}`
  })
  return `imported: ${parts.join(', ') || 'nothing'}`
}
