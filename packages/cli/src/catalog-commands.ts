/**
 * `godwit catalog`: look at a catalog of guests and machines, and change it.
 *
 * @module
 */
import type { Catalog, EntryKind } from '@godwit/catalog'
import { parseName } from '@godwit/catalog'
import { GodwitError } from '@godwit/core'
import type { Command } from 'commander'
import { addCatalogAddCommands } from './catalog-add.ts'
import type { CatalogCommandSettings } from './catalog-command.ts'
import { catalogCommand, withCatalog } from './catalog-command.ts'
import { addLearnCommand, addRemoveMapCommand } from './catalog-learn.ts'
import type { CatalogContents } from './catalog-text.ts'
import { formatContents, formatEntry } from './catalog-text.ts'
import { addCatalogTransferCommands } from './catalog-transfer.ts'
import { addChoiceCommands } from './choice-commands.ts'
import { addSimulateCommand } from './simulate-command.ts'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit } from './exit-code.ts'
import { note, print, printJson } from './output.ts'

const catalogHelp = `
A catalog says which guests there are, with the versions of operating system and hypervisor, on
which machines, and what their memory has in common. It is a file, for one machine, or a database in
PostgreSQL, for a fleet. \`godwit receive\` and \`godwit send\` with --catalog keep it up to date.

Example:
  export GODWIT_CATALOG=fleet.db
  godwit catalog add machine rack1 --memory 64GiB --address 10.0.0.1:7000
  godwit catalog add vm db1 --os debian/12 --hypervisor qemu/8.2 --machine rack1 --memory 4GiB
  godwit catalog ls`

/** Adds the commands; `finish` gets the exit code. */
export function addCatalogCommands(program: Command, finish: (code: ExitCode) => void): void {
  const catalog = program
    .command('catalog')
    .description('A database of guests, machines and what guests have in common')
    .addHelpText('after', catalogHelp)
  addListCommand(catalog, finish)
  addShowCommand(catalog, finish)
  addCatalogAddCommands(catalog, finish)
  addRemoveCommands(catalog, finish)
  addLearnCommand(catalog, finish)
  addCatalogTransferCommands(catalog, finish)
  addChoiceCommands(catalog, finish)
  addSimulateCommand(catalog, finish)
}

interface ListSettings extends CatalogCommandSettings {
  readonly vms?: boolean
  readonly machines?: boolean
  readonly links?: boolean
  readonly maps?: boolean
  readonly all?: boolean
}

function addListCommand(catalog: Command, finish: (code: ExitCode) => void): void {
  catalogCommand(catalog, 'ls', 'List what a catalog has: all of it, or some kinds')
    .option('--vms', 'guests')
    .option('--machines', 'machines')
    .option('--links', 'links between machines')
    .option('--maps', 'static maps, all versions, and what is learnt for one')
    .option('--all', 'also what has expired: its agent was not heard of any more')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  godwit catalog ls --catalog fleet.db --vms')
    .action(async (settings: ListSettings) => {
      await withCatalog(settings, false, (opened) => list(opened, settings))
      finish(Exit.Done)
    })
}

async function list(catalog: Catalog, settings: ListSettings): Promise<void> {
  const { vms, machines, links, maps, all = false, json } = settings
  const isAll = [vms, machines, links, maps].every((asked) => asked === undefined)
  const { entries } = catalog
  const contents: CatalogContents = {
    ...(isAll || vms === true ? { vms: await entries.list('vm', all) } : {}),
    ...(isAll || machines === true ? { machines: await entries.list('machine', all) } : {}),
    ...(isAll || links === true ? { links: await entries.list('link') } : {}),
    ...(isAll || maps === true
      ? { maps: await catalog.maps.list(), learning: await catalog.maps.listLearning() }
      : {}),
  }
  const text = formatContents(contents, await catalog.nowMs())
  if (json === true) printJson(contents, 2)
  else if (text === '') note(`nothing of that is in ${catalog.place}`)
  else print(text)
}

function addShowCommand(catalog: Command, finish: (code: ExitCode) => void): void {
  catalogCommand(catalog, 'show', 'Print all that is known of a guest or a machine')
    .argument('<name>', 'of a guest or a machine; of both, if both are called so')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  godwit catalog show db1 --catalog fleet.db')
    .action(async (name: string, settings: CatalogCommandSettings) => {
      await withCatalog(settings, false, (opened) => show(opened, name, settings))
      finish(Exit.Done)
    })
}

async function show(
  catalog: Catalog,
  name: string,
  { json }: CatalogCommandSettings,
): Promise<void> {
  const vm = await catalog.entries.find('vm', parseName(name))
  const machine = await catalog.entries.find('machine', name)
  const found = [vm, machine].filter((one) => one !== undefined)
  if (found.length === 0) {
    throw new GodwitError('CATALOG_UNKNOWN', `There is no guest or machine ${name}`)
  }
  const nowMs = await catalog.nowMs()
  if (json === true) printJson({ vm, machine }, 2)
  else print(found.map((one) => formatEntry(one, nowMs)).join('\n\n'))
}

const exampleNames: Readonly<Record<EntryKind, string>> = {
  vm: 'db1',
  machine: 'rack1',
  link: 'rack1 rack2',
}

function addRemoveCommands(catalog: Command, finish: (code: ExitCode) => void): void {
  const remove = catalog
    .command('rm')
    .description('Remove an entry')
    .addHelpText('after', '\nExample:\n  godwit catalog rm vm db1 --catalog fleet.db')
  const add = (kind: EntryKind, description: string, ...names: readonly string[]): void => {
    const example = `godwit catalog rm ${kind} ${exampleNames[kind]} --catalog fleet.db`
    const command = catalogCommand(remove, kind, description)
    command.addHelpText('after', `\nExample:\n  ${example}`)
    for (const name of names) command.argument(`<${name}>`)
    command.action(async (...given: unknown[]) => {
      const key = given.slice(0, names.length) as string[]
      const settings = given[names.length] as CatalogCommandSettings
      await withCatalog(settings, false, (opened) => opened.entries.remove(kind, ...key))
      finish(Exit.Done)
    })
  }
  add('vm', 'Remove a guest; its agent, if it lives, adds it again', 'name')
  add('machine', 'Remove a machine; its agent, if it lives, adds it again', 'name')
  add('link', 'Remove the link from one machine to another', 'source', 'destination')
  addRemoveMapCommand(remove, finish)
}
