/**
 * What `send` loads before a guest moves: the static map of its kind from a catalog, and where its
 * memory is kept. No migration waits long for a catalog, or fails because of it.
 *
 * @module
 */
import type { Pair } from '@godwit/catalog'
import { Catalog, formatRelease } from '@godwit/catalog'
import { GodwitError, formatBytes, formatDurationMs, toGodwitError } from '@godwit/core'
import type { IncomingMigration } from '@godwit/destination'
import type { SendStatic } from 'godwit'
import { ImageDirectory, mapOffering } from 'godwit'
import { checkKey } from './catalog-key.ts'
import type { CatalogSettings } from './catalog-option.ts'
import { readImageKeys } from './images-file.ts'
import { formatError, note } from './output.ts'
import type { MigrationSettings } from './settings.ts'
import type { StaticMode, StaticSettings } from './static-option.ts'
import { looksUp, staticModeOf } from './static-option.ts'

/** A migration goes on without a map that takes longer. */
export const MAP_LOAD_MS_MAX = 5000

/** Hears a line for people. */
type Tell = (text: string) => void

interface Settings extends StaticSettings, MigrationSettings, CatalogSettings {
  readonly quiet?: boolean
}

/** What holds where options say nothing else. */
export interface KnownPast {
  readonly keepImage?: ImageDirectory | undefined
  /** Keys of stored images, newest first. */
  readonly images?: IncomingMigration['images']
}

/**
 * What can be wrong about it is found out now; the map comes while the guest starts.
 *
 * @param tell - hears what is lacking
 * @throws {GodwitError} `USAGE`, `FILE_UNREADABLE`, `FILE_UNWRITABLE`
 */
export async function beginLoading(
  settings: Settings,
  tell: Tell = note,
  past: KnownPast = {},
): Promise<() => Promise<SendStatic>> {
  const images = imagesOf(settings, past)
  const { keepImage: asked, quiet } = settings
  const opened = asked && (await ImageDirectory.open(asked.path, asked.bytesMax))
  const keepImage = opened ?? past.keepImage
  const kept = keepImage && keepIn(keepImage, quiet === true, tell)
  const mode = staticModeOf(settings)
  const loading = mode === undefined ? undefined : loadWithin(settings, mode, tell)
  return async () => {
    const map = await loading
    return { ...(map === undefined ? {} : { map }), ...images, ...kept }
  }
}

/** Those of the file that is named, or else those that are known. */
function imagesOf(
  settings: Settings,
  { images = [] }: KnownPast,
): Pick<SendStatic, 'images' | 'carriedImages'> {
  if (settings.images !== undefined) return { images: readImageKeys(settings.images) }
  return looksUp(settings) ? { images } : { images: [], carriedImages: images }
}

function keepIn(
  keepImage: ImageDirectory,
  isQuiet: boolean,
  tell: Tell,
): Pick<SendStatic, 'keepImage' | 'onKept'> {
  const { path, bytesMax } = keepImage
  return {
    keepImage,
    onKept(failure) {
      if (failure !== undefined) {
        tell(formatError(failure))
        tell('the guest has moved all the same; only its image is not kept here')
      } else if (!isQuiet) tell(`its memory is kept in ${path} (at most ${formatBytes(bytesMax)})`)
    },
  }
}

/** Never rejects: what is wrong is told. */
async function loadWithin(
  settings: Settings,
  mode: StaticMode,
  tell: Tell,
): Promise<SendStatic['map']> {
  const late = Promise.withResolvers<never>()
  const giving = new AbortController()
  const timer = setTimeout(() => {
    giving.abort()
    const text = `The catalog did not give a static map within ${formatDurationMs(MAP_LOAD_MS_MAX)}`
    late.reject(new GodwitError('CATALOG_UNAVAILABLE', text))
  }, MAP_LOAD_MS_MAX)
  try {
    return await Promise.race([load(settings, mode, giving.signal, tell), late.promise])
  } catch (thrown) {
    tell(`${formatError(toGodwitError(thrown))} (no static pages; everything else goes on)`)
    return undefined
  } finally {
    clearTimeout(timer)
  }
}

/** The newest one of the guest's kind. */
async function load(
  settings: Settings,
  mode: StaticMode,
  signal: AbortSignal,
  tell: Tell,
): Promise<SendStatic['map']> {
  const catalog = await Catalog.open(settings.catalog!, { signal })
  try {
    const pair = await pairOf(catalog, settings)
    const { pageBytes } = settings
    const found = pair && (await catalog.maps.find({ ...pair, pageBytes }))
    if (found !== undefined) {
      const offering = mapOffering(found.bytes, mode)
      checkKey({ ...offering, pageBytes: offering.set.pageBytes }, found, 'static map')
      return offering
    }
    const what =
      pair === undefined
        ? `what ${settings.vmName} is (--os, --hypervisor)`
        : `a static map of ${formatRelease(pair.os)} on ${formatRelease(pair.hypervisor)}, ` +
          `${formatBytes(pageBytes)} pages (godwit catalog learn)`
    const isAsked = settings.static !== undefined
    if (isAsked || settings.quiet !== true) tell(`no static pages: the catalog lacks ${what}`)
    return undefined
  } finally {
    await catalog.close()
  }
}

/** As it was said, or as the catalog has it. */
async function pairOf(
  { entries }: Catalog,
  { os, hypervisor, vmName }: CatalogSettings,
): Promise<Pair | undefined> {
  const isSaid = os !== undefined && hypervisor !== undefined
  const vm = isSaid || vmName === undefined ? undefined : await entries.find('vm', vmName)
  const pair = { os: os ?? vm?.os, hypervisor: hypervisor ?? vm?.hypervisor }
  if (pair.os == null || pair.hypervisor == null) return undefined
  return { os: pair.os, hypervisor: pair.hypervisor }
}
