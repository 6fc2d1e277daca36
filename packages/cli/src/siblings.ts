/**
 * Where `receive` and `agent` look for static pages: maps come from the catalog, contents from
 * files of memory and from guests that run here.
 *
 * @module
 */
import type { MapKey, MapRecord, Pair, VmRecord } from '@godwit/catalog'
import { Catalog, parseRelease } from '@godwit/catalog'
import { GodwitError, formatBytes, formatCount, fromHex, toGodwitError } from '@godwit/core'
import { decodeStaticMap } from '@godwit/static'
import type { KnownMap, MapName, SearchedSibling, Sibling } from 'godwit'
import { ImageDirectory, NodeStaticFinder } from 'godwit'
import { checkKey } from './catalog-key.ts'
import type { CatalogSettings } from './catalog-option.ts'
import { machineNameOf } from './catalog-option.ts'
import { formatError, note } from './output.ts'
import type { SiblingSettings } from './sibling-option.ts'

/** Files are looked through for so many maps before a source asks, each at its price. */
const PREPARED_MAPS_MAX = 8

/** A guest that is whole: none of its pages is missing any more. */
export interface WholeGuest {
  /** By which `--sibling` may mean it. */
  readonly names: readonly (string | undefined)[]
  /** Of its entry in the catalog, once that was told. */
  readonly id: string | undefined
  /** Empty where it cannot be looked through. */
  readonly memory: readonly Sibling[]
}

export type ReadGuests = () => readonly WholeGuest[]

/** Hears lines for people. */
export interface Hears {
  /** What came of looking. */
  readonly found: (text: string) => void
  /** What cannot be had; everything else goes on. */
  readonly lacking: (text: string) => void
}

type Settings = SiblingSettings & CatalogSettings

/** All that a destination is told of it. */
export interface Finders {
  /** Undefined where nothing is looked for. */
  readonly finder: NodeStaticFinder | undefined
  /** That of `--keep-image`. */
  readonly images: ImageDirectory | undefined
  /** Looks through files before a source asks. Never rejects. */
  prepare(): Promise<void>
  close(): Promise<void>
}

/** @throws {GodwitError} `FILE_UNWRITABLE`: that of `--keep-image` */
export async function findersOf(
  settings: Settings,
  guests: ReadGuests,
  hears: Hears = { found: note, lacking: note },
): Promise<Finders> {
  const { keepImage, catalog, static: when } = settings
  const images = keepImage && (await ImageDirectory.open(keepImage.path, keepImage.bytesMax))
  if (keepImage?.isLimited === true) await trim(images!, hears)
  if (catalog === undefined || when === 'none') {
    const finder = images && new NodeStaticFinder({ images })
    return { finder, images, prepare: async () => {}, close: async () => {} }
  }
  for (const sibling of settings.sibling ?? []) {
    if ('file' in sibling) continue
    hears.found(`no file ${sibling.guest} here: a guest of that name is waited for`)
  }
  return new Siblings(catalog, { settings, guests, images, hears })
}

/** Says what had to go. */
async function trim(images: ImageDirectory, { found }: Hears): Promise<void> {
  const before = (await images.list()).images.length
  await images.trim()
  const removed = before - (await images.list()).images.length
  if (removed === 0) return
  const limit = formatBytes(images.bytesMax)
  found(`${removed} of ${before} stored images, the oldest, are removed: max is ${limit} in all`)
}

interface Parts {
  readonly settings: Settings
  readonly guests: ReadGuests
  readonly images: ImageDirectory | undefined
  readonly hears: Hears
}

/** Asks the catalog anew for each migration, over one connection. */
class Siblings implements Finders {
  readonly finder: NodeStaticFinder
  readonly images: ImageDirectory | undefined
  readonly #url: string
  readonly #settings: Settings
  readonly #guests: ReadGuests
  readonly #hears: Hears
  readonly #closing = new AbortController()
  #catalog: Promise<Catalog> | undefined

  constructor(url: string, { settings, guests, images, hears }: Parts) {
    this.images = images
    this.#url = url
    this.#settings = settings
    this.#guests = guests
    this.#hears = hears
    this.finder = new NodeStaticFinder({
      ...(images === undefined ? {} : { images }),
      findMap: (name) => this.#findMap(name),
      siblings: async (name) => {
        const pair = pairOf(name)
        return (pair && (await this.#ask((catalog) => this.#here(catalog, pair)))) ?? []
      },
      onSearched: (siblings) => this.#tell(siblings),
    })
  }

  async prepare(): Promise<void> {
    const { signal } = this.#closing
    // The catalog was told of where it fails, and is asked again for each migration.
    const maps = (await this.#ask((catalog) => catalog.maps.list())) ?? []
    let count = 0
    for (const { os, hypervisor, pageBytes } of distinct(maps)) {
      if (signal.aborted || count === PREPARED_MAPS_MAX) break
      if (await this.#prepare({ os, hypervisor, pageBytes }, signal)) count++
    }
    if (count === 0 || signal.aborted) return
    const what = count === 1 ? 'a static map' : `${count} static maps`
    this.#hears.found(`looked through files of memory for ${what}`)
  }

  /** @returns whether there was anything to look through. Never rejects: what fails is told. */
  async #prepare(key: MapKey, signal: AbortSignal): Promise<boolean> {
    try {
      const files = await this.#asked((catalog) => this.#files(catalog, key))
      if (files.length === 0) return false
      const map = await this.#asked(({ maps }) => maps.find(key))
      if (map === undefined) return false
      checkKey(decodeStaticMap(map.bytes), key, 'static map')
      await this.finder.prepare(map.bytes, files, signal)
      return true
    } catch (thrown) {
      if (signal.aborted) return false
      const text = formatError(toGodwitError(thrown))
      this.#hears.lacking(`${text} (its files are not looked through before a source asks)`)
      return false
    }
  }

  /** Files of memory: those that were named, then those of guests that are alike. */
  async #files({ entries }: Catalog, pair: Pair): Promise<readonly { readonly file: string }[]> {
    const vms = await entries.siblings(pair, machineNameOf(this.#settings))
    const named = this.#settings.sibling?.filter((sibling) => 'file' in sibling) ?? []
    return [...named, ...filesOf(vms)]
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#reset()
  }

  async #reset(): Promise<void> {
    const catalog = this.#catalog
    this.#catalog = undefined
    await catalog?.then((open) => open.close()).catch(() => {})
  }

  /** @returns undefined where the catalog fails, which is told; the next migration tries again */
  async #ask<T>(ask: (catalog: Catalog) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#asked(ask)
    } catch (thrown) {
      if (this.#closing.signal.aborted) return undefined
      const text = formatError(toGodwitError(thrown))
      this.#hears.lacking(`${text} (no static pages; everything else goes on)`)
      return undefined
    }
  }

  /** As {@link #ask}, and nothing is told. @throws {GodwitError} what the catalog says */
  async #asked<T>(ask: (catalog: Catalog) => Promise<T>): Promise<T> {
    const before = this.#catalog
    const isReplaced = (await before?.catch(() => undefined))?.isReplaced === true
    if (isReplaced && this.#catalog === before) await this.#reset()
    this.#catalog ??= Catalog.open(this.#url, { signal: this.#closing.signal })
    const opening = this.#catalog
    let catalog: Catalog | undefined
    try {
      catalog = await opening
      return await ask(catalog)
    } catch (thrown) {
      // What is wrong with an entry is not by the connection, which others use meanwhile.
      const isGone = catalog === undefined || toGodwitError(thrown).code === 'CATALOG_UNAVAILABLE'
      if (isGone && this.#catalog === opening) await this.#reset()
      throw thrown
    }
  }

  async #findMap(name: MapName): Promise<KnownMap | undefined> {
    const pair = pairOf(name)
    if (pair === undefined) return undefined
    const key = { ...pair, pageBytes: name.pageBytes }
    const record = await this.#ask(({ maps }) => maps.describe(key, name.version))
    if (record === undefined) return undefined
    const { digest } = record
    const find = async ({ maps }: Catalog): Promise<Uint8Array | undefined> => {
      const found = await maps.findDigest(key, digest)
      if (found !== undefined) checkKey(decodeStaticMap(found.bytes), found, 'static map')
      return found?.bytes
    }
    return { digest: fromHex(digest), load: () => this.#ask(find) }
  }

  /** Those that were named, or guests that are alike; then files of memory that are. */
  async #here({ entries }: Catalog, pair: Pair): Promise<readonly Sibling[]> {
    const vms = await entries.siblings(pair, machineNameOf(this.#settings))
    const here = this.#settings.sibling === undefined ? this.#alike(vms) : this.#named()
    // Memory of a VM is a file, which the catalog may name, too.
    const known = new Set(here.flatMap((one) => ('file' in one ? [one.file] : [])))
    return [...here, ...filesOf(vms).filter(({ file }) => !known.has(file))]
  }

  #named(): readonly Sibling[] {
    return this.#settings.sibling!.flatMap((sibling) => {
      if ('file' in sibling) return [sibling]
      const one = this.#guests().find(({ names }) => names.includes(sibling.guest))
      if (one !== undefined && one.memory.length > 0) return one.memory
      this.#hears.lacking(`sibling ${sibling.guest}: no such guest is here, nor a file`)
      return []
    })
  }

  #alike(vms: readonly VmRecord[]): readonly Sibling[] {
    const guests = this.#guests()
    return vms.flatMap(({ id }) => guests.find((one) => one.id === id)?.memory ?? [])
  }

  #tell(siblings: readonly SearchedSibling[]): void {
    const { found, lacking } = this.#hears
    for (const { name, heldEntries, failure } of siblings) {
      const text = `static pages: ${formatCount(heldEntries)} are in ${name}`
      if (failure === undefined) found(text)
      else if (heldEntries > 0) lacking(`${text}; ${failure}`)
      else lacking(`static pages: ${name} is not searched: ${failure}`)
    }
  }
}

/** Undefined where a source names what no catalog can have. */
function pairOf({ os, hypervisor }: MapName): Pair | undefined {
  try {
    return { os: parseRelease(os), hypervisor: parseRelease(hypervisor) }
  } catch (thrown) {
    if (thrown instanceof GodwitError) return undefined
    throw thrown
  }
}

/** One of each pair and page size, however many versions there are; the newest ones first. */
function distinct(maps: readonly MapRecord[]): readonly MapRecord[] {
  const keyOf = ({ os, hypervisor, pageBytes }: MapRecord): string =>
    JSON.stringify([os, hypervisor, pageBytes])
  const newest = [...new Map(maps.map((map) => [keyOf(map), map])).values()]
  return newest.sort((a, b) => b.updatedMs - a.updatedMs)
}

function filesOf(vms: readonly VmRecord[]): readonly { readonly file: string }[] {
  return vms.flatMap(({ memoryPath }) => (memoryPath === null ? [] : [{ file: memoryPath }]))
}
