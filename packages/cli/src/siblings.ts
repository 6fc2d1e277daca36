/**
 * Where `receive` looks for static pages: maps come from the catalog, contents from files of memory
 * and from guests that run here.
 *
 * @module
 */
import type { Pair, VmRecord } from '@godwit/catalog'
import { Catalog, parseRelease } from '@godwit/catalog'
import { formatCount, toGodwitError } from '@godwit/core'
import type { IncomingMigration } from '@godwit/destination'
import type { MapName, SearchedSibling, Sibling, StaticFinderOptions } from 'godwit'
import { ImageDirectory } from 'godwit'
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

/** All that `receive` is told of it; undefined where that is nothing. */
export async function findersOf(
  settings: Settings,
  guests: ReadGuests,
): Promise<{ readonly options: StaticFinderOptions | undefined; close(): Promise<void> }> {
  const { keepImage, catalog, static: when } = settings
  const images = keepImage && (await ImageDirectory.open(keepImage.path, keepImage.bytesMax))
  if (keepImage?.isLimited === true) await images?.trim()
  const past = images === undefined ? undefined : { images }
  if (catalog === undefined || when === 'none') return { options: past, close: async () => {} }
  const siblings = new Siblings(catalog, settings, guests)
  return { options: { ...past, ...siblings.options }, close: () => siblings.close() }
}

/** Asks the catalog anew for each migration, over one connection. */
class Siblings {
  readonly #url: string
  readonly #settings: Settings
  readonly #guests: ReadGuests
  #catalog: Promise<Catalog> | undefined

  constructor(url: string, settings: Settings, guests: ReadGuests) {
    this.#url = url
    this.#settings = settings
    this.#guests = guests
  }

  get options(): StaticFinderOptions {
    return {
      findMap: (name) => this.#ask(name, (catalog, pair) => findMap(catalog, pair, name)),
      siblings: (name) => this.#ask(name, (catalog, pair) => this.#here(catalog, pair)),
      onSearched: (siblings) => this.#tell(siblings),
    }
  }

  async close(): Promise<void> {
    await this.#catalog?.then((catalog) => catalog.close()).catch(() => {})
  }

  /** @throws {GodwitError} what the catalog says; the next migration tries again */
  async #ask<T>(name: MapName, ask: (catalog: Catalog, pair: Pair) => Promise<T>): Promise<T> {
    const pair = { os: parseRelease(name.os), hypervisor: parseRelease(name.hypervisor) }
    this.#catalog ??= Catalog.open(this.#url)
    const opening = this.#catalog
    try {
      return await ask(await opening, pair)
    } catch (thrown) {
      if (this.#catalog === opening) await this.#reset()
      note(`${formatError(toGodwitError(thrown))} (no static pages; everything else goes on)`)
      throw thrown
    }
  }

  async #reset(): Promise<void> {
    await this.close()
    this.#catalog = undefined
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
      if (found === undefined) note(`sibling ${sibling.guest}: no such guest is here, nor a file`)
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
