/**
 * `godwit catalog learn`: what guests of one operating system and hypervisor have in common.
 *
 * @module
 */
import type { Catalog, MapKey, Pair, Release, VmRecord } from '@godwit/catalog'
import { formatRelease, parseName, parseRelease, samePair } from '@godwit/catalog'
import {
  CONTENT_HASH_BYTES,
  GodwitError,
  PAGE_BYTES_DEFAULT,
  checkPageBytes,
  formatBytes,
  formatCount,
  parseBytes,
} from '@godwit/core'
import type { LearnedSample, StaticMap } from '@godwit/static'
import { Learning, encodeStaticMap } from '@godwit/static'
import type { Command } from 'commander'
import { learnSamples } from 'godwit'
import type { CatalogCommandSettings } from './catalog-command.ts'
import { catalogCommand, withCatalog } from './catalog-command.ts'
import { checkKey } from './catalog-key.ts'
import type { CatalogSettings } from './catalog-option.ts'
import { machineNameOf } from './catalog-option.ts'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit } from './exit-code.ts'
import { print, printJson } from './output.ts'
import { printable } from './printable.ts'

interface PairSettings extends CatalogCommandSettings, Pick<CatalogSettings, 'machine'> {
  readonly os?: Release
  readonly hypervisor?: Release
  readonly pageBytes: number
}

interface LearnSettings extends PairSettings {
  readonly vm?: readonly string[]
  readonly anew?: boolean
}

const learnHelp = `
A sample is the memory of one guest: an image in a file, or where the catalog says that a guest's
memory is (--vm; of a running guest it may change meanwhile). Two samples make the first map, each
further one a new version. Give no two images of the same guest, not even of different times: what
only it has would count as what all have.

Examples:
  godwit catalog learn --os debian/12 --hypervisor qemu/8.2 a.mem b.mem --catalog fleet.db
  godwit catalog learn --vm db1 --vm db2 --catalog fleet.db`

/** Adds the command to `godwit catalog`. */
export function addLearnCommand(catalog: Command, finish: (code: ExitCode) => void): void {
  const description = 'Learn the static pages of an operating system and hypervisor from guests'
  addPairOptions(catalogCommand(catalog, 'learn', description))
    .argument('[file...]', 'images of memory, each of another guest')
    .option('--vm <NAME>', 'a guest whose memory the catalog says where it is; again', another)
    .option('--machine <NAME>', 'what this machine is called (default: its name)', parseName)
    .option('--anew', 'forget the samples so far')
    .option('--json', 'print JSON')
    .addHelpText('after', learnHelp)
    .action(async (files: readonly string[], settings: LearnSettings) => {
      await withCatalog(settings, true, (opened) => learn(opened, files, settings))
      finish(Exit.Done)
    })
}

/** Adds the command to `godwit catalog rm`. */
export function addRemoveMapCommand(remove: Command, finish: (code: ExitCode) => void): void {
  const description = 'Remove all static maps of a pair, and what was learnt of it'
  const example = 'godwit catalog rm map --os debian/12 --hypervisor qemu/8.2 --catalog fleet.db'
  addPairOptions(catalogCommand(remove, 'map', description))
    .addHelpText('after', `\nExample:\n  ${example}`)
    .action(async (settings: PairSettings) => {
      const key = { ...pairOf(settings, []), pageBytes: settings.pageBytes }
      await withCatalog(settings, false, ({ maps }) => maps.remove(key))
      finish(Exit.Done)
    })
}

function addPairOptions(command: Command): Command {
  return command
    .option('--os <NAME/VERSION>', 'operating system, like debian/12', parseRelease)
    .option('--hypervisor <NAME/VERSION>', 'hypervisor, like qemu/8.2', parseRelease)
    .option(
      '--page-bytes <SIZE>',
      'size of pages',
      (text: string) => checkPageBytes(parseBytes(text)),
      PAGE_BYTES_DEFAULT,
    )
}

function another(name: string, before: readonly string[] = []): readonly string[] {
  return [...before, parseName(name)]
}

async function learn(
  catalog: Catalog,
  files: readonly string[],
  settings: LearnSettings,
): Promise<void> {
  const vms = await Promise.all((settings.vm ?? []).map((name) => findVm(catalog, name)))
  const samples = [...files, ...vms.map((vm) => memoryPathOf(vm, machineNameOf(settings)))]
  if (samples.length === 0) {
    throw new GodwitError('USAGE', 'Learn from what? Give images of memory, or --vm NAME')
  }
  if (new Set(samples).size < samples.length) {
    throw new GodwitError('USAGE', 'A sample is given twice: all of it would count as static')
  }
  const key = { ...pairOf(settings, vms), pageBytes: settings.pageBytes }
  const { learning, fromRevision } = await begin(catalog, key, settings.anew === true)
  const isFirst = learning.sampleCount === 0
  const learned = await learnSamples(
    learning,
    samples.map((file) => ({ file })),
  )
  refuseEmpty(samples, learned)
  refuseKnown(samples, learned, isFirst)
  const map = learning.map()
  await catalog.maps.learnt({
    ...key,
    fromRevision,
    state: learning.encode(),
    map: map && { version: map.version, bytes: encodeStaticMap(map) },
  })
  tell(samples, learned, map, settings.json === true)
}

async function findVm(catalog: Catalog, name: string): Promise<VmRecord> {
  const vm = await catalog.entries.find('vm', name)
  if (vm !== undefined) return vm
  throw new GodwitError('CATALOG_UNKNOWN', `There is no guest ${name}; see godwit catalog ls`)
}

function memoryPathOf({ name, memoryPath, machine }: VmRecord, here: string): string {
  if (memoryPath === null) {
    const advice = 'godwit catalog add vm --memory-path says so'
    throw new GodwitError(
      'USAGE',
      `The catalog does not say where the memory of ${name} is; ${advice}`,
    )
  }
  if (machine === here) return memoryPath
  const advice = `learn there, or say --machine ${machine} if this is it`
  throw new GodwitError(
    'USAGE',
    `The memory of ${name} is on ${machine}, not on ${here}: ${advice}`,
  )
}

/** As it was said, or as the guests are; all must be of one. */
function pairOf({ os, hypervisor }: PairSettings, vms: readonly VmRecord[]): Pair {
  const [first] = vms
  const pair = { os: os ?? first?.os ?? null, hypervisor: hypervisor ?? first?.hypervisor ?? null }
  if (pair.os === null || pair.hypervisor === null) {
    throw new GodwitError('USAGE', 'Of what? Say --os NAME/VERSION and --hypervisor NAME/VERSION')
  }
  const other = vms.find((vm) => !samePair(vm, pair))
  if (other !== undefined) {
    const { os: system, hypervisor: host } = pair
    const names = `${formatRelease(system)} on ${formatRelease(host)}`
    throw new GodwitError('USAGE', `${other.name} is not a guest of ${names}`)
  }
  return { os: pair.os, hypervisor: pair.hypervisor }
}

async function begin(
  { maps }: Catalog,
  key: MapKey,
  isAnew: boolean,
): Promise<{ learning: Learning; fromRevision: number }> {
  const state = await maps.findLearning(key)
  const fromRevision = state?.revision ?? 0
  if (state !== undefined && !isAnew) {
    const learning = Learning.resume(state.bytes)
    checkKey(learning, key, 'learning state')
    return { learning, fromRevision }
  }
  const version = (await maps.find(key))?.version ?? 0
  const { os, hypervisor, pageBytes } = key
  const names = { os: formatRelease(os), hypervisor: formatRelease(hypervisor) }
  return { learning: Learning.begin({ ...names, pageBytes, version }), fromRevision }
}

/**
 * A sample without content has nothing in common with any other: no page id would be left.
 *
 * @throws {GodwitError} `USAGE`
 */
function refuseEmpty(samples: readonly string[], learned: readonly LearnedSample[]): void {
  const empty = learned.findIndex(({ contents }) => contents === 0)
  if (empty < 0) return
  throw new GodwitError('USAGE', `${samples[empty]} has no content: nothing is stored`)
}

/**
 * Of a guest that is learnt again all would be static, what only it has included; and of what is
 * static others are told.
 *
 * @throws {GodwitError} `USAGE`
 */
function refuseKnown(
  samples: readonly string[],
  learned: readonly LearnedSample[],
  isFirst: boolean,
): void {
  const known = learned.findIndex(({ newContents, contents }, index) => {
    return newContents === 0 && contents > 0 && !(isFirst && index === 0)
  })
  if (known < 0) return
  const text = `${samples[known]} has nothing of its own: that guest was learnt already`
  throw new GodwitError('USAGE', `${text}; nothing is stored (--anew forgets the samples so far)`)
}

function tell(
  samples: readonly string[],
  learned: readonly LearnedSample[],
  map: StaticMap | undefined,
  isJson: boolean,
): void {
  const entries = map && map.hashes.length / CONTENT_HASH_BYTES
  if (isJson) {
    const facts = map && { version: map.version, entries, positions: map.positions.length }
    const named = learned.map((one, index) => ({ sample: samples[index], ...one }))
    printJson({ samples: named, map: facts ?? null }, 2)
    return
  }
  learned.forEach(({ pageCount, zeroPages, contents, newContents }, index) => {
    const counts = `${formatCount(pageCount)} pages, ${formatCount(zeroPages)} of them zero`
    const found = `${formatCount(contents)} contents, ${formatCount(newContents)} of them new`
    print(printable(`${samples[index]}: ${counts}; ${found}`))
  })
  print(map === undefined ? 'one more sample makes a map' : printable(mapText(map)))
}

function mapText({ os, hypervisor, version, hashes, positions, pageBytes }: StaticMap): string {
  const entries = hashes.length / CONTENT_HASH_BYTES
  const counts = `${formatCount(entries)} static pages (${formatBytes(entries * pageBytes)})`
  const places = `${formatCount(positions.length)} of them always at the same place`
  return `static map ${version} of ${os} on ${hypervisor}: ${counts}, ${places}`
}
