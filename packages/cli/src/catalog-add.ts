/**
 * `godwit catalog add`: entries that no agent makes.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import type { Release, VmState } from '@godwit/catalog'
import { parseName, parseRelease } from '@godwit/catalog'
import {
  GodwitError,
  PAGE_BYTES_DEFAULT,
  checkPageBytes,
  formatBytes,
  parseBytes,
  parseRate,
} from '@godwit/core'
import { parseAddress } from '@godwit/transport'
import type { Command } from 'commander'
import { Option } from 'commander'
import type { CatalogCommandSettings } from './catalog-command.ts'
import { catalogCommand, withCatalog } from './catalog-command.ts'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit } from './exit-code.ts'

interface AddSettings extends CatalogCommandSettings {
  readonly replace?: boolean
}

interface AddVmSettings extends AddSettings {
  readonly os?: Release
  readonly hypervisor?: Release
  readonly machine: string
  readonly memory: number
  readonly pageBytes: number
  readonly state?: VmState
  readonly memoryPath?: string
}

interface AddMachineSettings extends AddSettings {
  readonly memory: number
  readonly free?: number
  readonly load: number
  readonly address?: string
}

interface AddLinkSettings extends AddSettings {
  readonly cost: number
  readonly bandwidth: number
  readonly both?: boolean
}

const addHelp = `
Example:
  godwit catalog add machine rack1 --memory 64GiB --address 10.0.0.1:7000 --catalog fleet.db
  godwit catalog add link rack1 rack2 --bandwidth 10Gbit --both --catalog fleet.db
  godwit catalog add vm db1 --machine rack1 --memory 4GiB --catalog fleet.db`

const gigabitBytesPerSecond = 125_000_000

/** Adds the commands to `godwit catalog`. */
export function addCatalogAddCommands(catalog: Command, finish: (code: ExitCode) => void): void {
  const add = catalog
    .command('add')
    .description('Add a guest, a machine or a link by hand')
    .addHelpText('after', addHelp)
  addVmCommand(add, finish)
  addMachineCommand(add, finish)
  addLinkCommand(add, finish)
}

const replaceHelp = 'take the place of an entry that is there'

function addVmCommand(add: Command, finish: (code: ExitCode) => void): void {
  catalogCommand(add, 'vm', 'Add a guest; an agent that starts one of its name takes it over')
    .argument('<name>', 'what it is called', parseName)
    .requiredOption('--machine <NAME>', 'where it is', parseName)
    .requiredOption('--memory <SIZE>', 'its memory', parseBytes)
    .option('--os <NAME/VERSION>', 'its operating system, like debian/12', parseRelease)
    .option('--hypervisor <NAME/VERSION>', 'its hypervisor, like qemu/8.2', parseRelease)
    .option('--page-bytes <SIZE>', 'its pages', parsePageBytes, PAGE_BYTES_DEFAULT)
    .addOption(
      new Option('--state <STATE>', 'default: stored with --memory-path, else stopped').choices([
        'running',
        'stopped',
        'stored',
      ]),
    )
    .option('--memory-path <FILE>', 'where its memory is stored on that machine', parsePath)
    .option('--replace', replaceHelp)
    .addHelpText(
      'after',
      '\nExample:\n  godwit catalog add vm db1 --os debian/12 --hypervisor qemu/8.2 ' +
        '--machine rack1 --memory 4GiB --catalog fleet.db',
    )
    .action(async (name: string, settings: AddVmSettings) => {
      const { memory, memoryPath, os = null, hypervisor = null, machine, pageBytes } = settings
      const path = memoryPath ?? null
      const state = settings.state ?? (path === null ? 'stopped' : 'stored')
      const place = { machine, memoryBytes: memory, pageBytes, state, memoryPath: path }
      const id = randomUUID()
      const entry = { id, name, os, hypervisor, ...place, agent: null, session: null, epoch: 0 }
      await withCatalog(settings, true, ({ entries }) => entries.add('vm', entry, settings.replace))
      finish(Exit.Done)
    })
}

function addMachineCommand(add: Command, finish: (code: ExitCode) => void): void {
  catalogCommand(add, 'machine', 'Add a machine on which no agent runs yet')
    .argument('<name>', 'what it is called', parseName)
    .requiredOption('--memory <SIZE>', 'its memory', parseBytes)
    .option('--free <SIZE>', 'what of it is free (default: all)', parseBytes)
    .option('--load <N>', 'runnable tasks per core', parseAmount, 0)
    .option('--address <HOST:PORT>', 'where its agent will listen', parseHostPort)
    .option('--replace', replaceHelp)
    .addHelpText(
      'after',
      '\nExample:\n  godwit catalog add machine rack1 --memory 64GiB --catalog fleet.db',
    )
    .action(async (name: string, settings: AddMachineSettings) => {
      const { memory, free = memory, load, address = null } = settings
      if (free > memory) {
        const text = `${formatBytes(free)} of ${formatBytes(memory)} cannot be free: see --free`
        throw new GodwitError('USAGE', text)
      }
      const entry = { name, memoryBytes: memory, freeBytes: free, load, address, agent: null }
      await withCatalog(settings, true, ({ entries }) =>
        entries.add('machine', entry, settings.replace),
      )
      finish(Exit.Done)
    })
}

function addLinkCommand(add: Command, finish: (code: ExitCode) => void): void {
  catalogCommand(add, 'link', 'Add the link from one machine to another')
    .argument('<source>', 'a machine', parseName)
    .argument('<destination>', 'a machine', parseName)
    .option('--cost <N>', 'of its use, in units of your own; less is better', parseAmount, 1)
    .option('--bandwidth <RATE>', 'like 10Gbit (default 1Gbit)', parseRate, gigabitBytesPerSecond)
    .option('--both', 'and the way back')
    .option('--replace', replaceHelp)
    .addHelpText(
      'after',
      '\nExample:\n  godwit catalog add link rack1 rack2 --bandwidth 10Gbit --both ' +
        '--catalog fleet.db',
    )
    .action(async (source: string, destination: string, settings: AddLinkSettings) => {
      const { cost, bandwidth, both, replace } = settings
      if (source === destination) {
        throw new GodwitError('USAGE', 'A link leads from one machine to another, not to itself')
      }
      const facts = { cost, bandwidthBytesPerSecond: Math.round(bandwidth) }
      const there = { source, destination, ...facts }
      const back = { source: destination, destination: source, ...facts }
      const links = both === true ? [there, back] : [there]
      await withCatalog(settings, true, ({ entries }) => entries.addAll('link', links, replace))
      finish(Exit.Done)
    })
}

function parsePageBytes(text: string): number {
  return checkPageBytes(parseBytes(text))
}

/** Relative to where this is typed. */
function parsePath(text: string): string {
  if (text !== '') return resolve(text)
  throw new GodwitError('USAGE', 'A path of no characters is no file')
}

/** One that can be dialled. */
function parseHostPort(text: string): string {
  if (parseAddress(text).port > 0) return text
  throw new GodwitError('ADDRESS_INVALID', `"${text}" has no port that can be dialled`)
}

/** Not negative. */
function parseAmount(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (Number.isFinite(value) && value >= 0) return value
  throw new GodwitError('USAGE', `${JSON.stringify(text)} is not a number from 0 on`)
}
