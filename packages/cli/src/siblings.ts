/**
 * Where `receive` looks for static pages: maps come from the catalog, contents from files of memory
 * and from guests that run here.
 *
 * @module
 */
import type { MapRecord, Pair, VmRecord } from '@godwit/catalog'
import { Catalog, parseRelease } from '@godwit/catalog'
import { formatCount, toGodwitError } from '@godwit/core'
import type { IncomingMigration } from '@godwit/destination'
import type { MapName, SearchedSibling, Sibling } from 'godwit'
import { ImageDirectory, NodeStaticFinder } from 'godwit'
import type { RegisteredGuest } from './agent-registration.ts'
import type { CatalogSettings } from './catalog-option.ts'
import { machineNameOf } from './catalog-option.ts'
import { formatError, note } from './output.ts'
import type { SiblingSettings } from './sibling-option.ts'

/** Guests that are whole: none of their pages is missing any more. */
export type ReadGuests = () => readonly {
  readonly migration: IncomingMigration
  readonly entry: RegisteredGuest | undefined
}[]

interface Settings extends SiblingSettings, CatalogSettings {
  readonly quiet?: boolean
}

/** All that `receive` is told of it. */
export interface Finders {
  /** Undefined where nothing is looked for. */
  readonly finder: NodeStaticFinder | undefined
  /** Looks through files before a source asks. Never rejects. */
  prepare(): Promise<void>
  close(): Promise<void>
}

export async function findersOf(settings: Settings, guests: ReadGuests): Promise<Finders> {
  const { keepImage, catalog, static: when } = settings
  const images = keepImage && (await ImageDirectory.open(keepImage.path, keepImage.bytesMax))
  if (keepImage?.isLimited === true) await images?.trim()
  if (catalog === undefined || when === 'none') {
    const finder = images && new NodeStaticFinder({ images })
    return { finder, prepare: async () => {}, close: async () => {} }
  }
  return new Siblings(catalog, settings, guests, images)
}

/** Asks the catalog anew for each migration, over one connection. */
class Siblings implements Finders {
  readonly finder: NodeStaticFinder
  readonly #url: string
  readonly #settings: Settings
  readonly #guests: ReadGuests
  readonly #closing = new AbortController()
  #catalog: Promise<Catalog> | undefined
  /** Guests come later than the agent. */
  #isPreparing = false

  constructor(url: string, settings: Settings, guests: ReadGuests, images?: ImageDirectory) {
    this.#url = url
    this.#settings = settings
    this.#guests = guests
    this.finder = new NodeStaticFinder({
      ...(images === undefined ? {} : { images }),
      findMap: (name) => this.#ask((catalog) => findMap(catalog, pairOf(name), name)),
      siblings: (name) => this.#ask((catalog) => this.#here(catalog, pairOf(name))),
      onSearched: (siblings) => this.#tell(siblings),
    })
  }

  async prepare(): Promise<void> {
    const { signal } = this.#closing
    this.#isPreparing = true
    try {
      const newest = await this.#ask(({ maps }) => maps.list())
      for (const { os, hypervisor, pageBytes } of distinct(newest)) {
        if (signal.aborted) return
        const map = await this.#ask(({ maps }) => maps.find({ os, hypervisor, pageBytes }))
        if (map !== undefined) await this.finder.prepare(map.bytes, 'content', signal)
      }
    } catch {
      // Whoever was asked has told; it is asked again for each migration.
    } finally {
      this.#isPreparing = false
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#reset()
  }

  async #reset(): Promise<void> {
    const catalog = this.#catalog
    this.#catalog = undefined
    await catalog?.then((catalog) => catalog.close()).catch(() => {})
  }

  /** @throws {GodwitError} what the catalog says; the next migration tries again */
  async #ask<T>(ask: (catalog: Catalog) => Promise<T>): Promise<T> {
    this.#catalog ??= Catalog.open(this.#url)
    const opening = this.#catalog
    try {
      return await ask(await opening)
    } catch (thrown) {
      if (this.#catalog === opening) await this.#reset()
      note(`${formatError(toGodwitError(thrown))} (no static pages; everything else goes on)`)
      throw thrown
    }
  }

  /** Those that were named, or guests that are alike; then files of memory that are. */
  async #here({ entries }: Catalog, pair: Pair): Promise<readonly Sibling[]> {
    const vms = await entries.siblings(pair, machineNameOf(this.#settings))
    const named = this.#settings.sibling
    return [...(named === undefined ? this.#alike(vms) : this.#named()), ...filesOf(vms)]
  }

  #named(): readonly Sibling[] {
    return this.#settings.sibling!.flatMap((sibling) => {
      if ('file' in sibling) return [sibling]
      const one = this.#guests().find(({ migration, entry }) => {
        return entry?.name === sibling.guest || migration.sessionId === sibling.guest
      })
      const found = one && memoryOf(one.migration, sibling.guest)
      if (found === undefined && !this.#isPreparing)
        note(`sibling ${sibling.guest}: no such guest is here, nor a file`)
      return found ?? []
    })
  }

  #alike(vms: readonly VmRecord[]): readonly Sibling[] {
    return vms.flatMap(({ id, name }) => {
      const one = this.#guests().find(({ entry }) => entry?.id === id)
      return (one && memoryOf(one.migration, name)) ?? []
    })
  }

  #tell(siblings: readonly SearchedSibling[]): void {
    for (const { name, heldEntries, failure } of siblings) {
      if (failure !== undefined) note(`sibling ${name} is not searched: ${failure}`)
      else if (this.#settings.quiet !== true) {
        note(`sibling ${name}: ${formatCount(heldEntries)} static pages are here`)
      }
    }
  }
}

function pairOf({ os, hypervisor }: MapName): Pair {
  return { os: parseRelease(os), hypervisor: parseRelease(hypervisor) }
}

/** One of each pair and page size, however many versions there are. */
function distinct(maps: readonly MapRecord[]): Iterable<MapRecord> {
  return new Map(
    maps.map((map) => [JSON.stringify([map.os, map.hypervisor, map.pageBytes]), map]),
  ).values()
}

async function findMap(
  { maps }: Catalog,
  pair: Pair,
  { pageBytes, version }: MapName,
): Promise<Uint8Array | undefined> {
  return (await maps.find({ ...pair, pageBytes }, version))?.bytes
}

function memoryOf({ guest }: IncomingMigration, name: string): Sibling | undefined {
  const regions = guest?.regions.map(({ bytes }) => bytes) ?? []
  return regions.length === 0 ? undefined : { name, regions }
}

function filesOf(vms: readonly VmRecord[]): readonly Sibling[] {
  return vms.flatMap(({ memoryPath }) => (memoryPath === null ? [] : [{ file: memoryPath }]))
}
