/**
 * What a departure takes along beside its guest: files that the agent reads and writes, a static
 * map, traffic beside it.
 *
 * @module
 */
import { resolve } from 'node:path'
import { parseCatalogUrl, parseRelease } from '@godwit/catalog'
import type { GodwitError } from '@godwit/core'
import type { Policy, SendStatic, TrafficOptions } from 'godwit'
import { CaptureFile } from 'godwit'
import { checkCatalogOptions } from '../catalog-option.ts'
import { readCompeting } from '../competing-option.ts'
import type { MapSettings, MigrateSettings } from '../guest-options.ts'
import { loadPolicy } from '../policy-file.ts'
import { beginLoading } from '../static-load.ts'
import { checkStatic } from '../static-option.ts'
import type { AgentContext } from './context.ts'
import type { GuestEntry } from './guest-table.ts'

export interface Provisions {
  readonly policy?: Policy
  /** Waits for the static map, as long as that may take. */
  readonly readStatic?: () => Promise<SendStatic>
  /** Begins the file of all attempts, in the place of one that is there. */
  readonly openCapture?: () => CaptureFile
  readonly traffic?: TrafficOptions | undefined
}

/** Where they are made. */
export interface ProvisionPlace {
  /** Where names of files begin. */
  readonly directory: string
  /** Is here. */
  readonly entry: GuestEntry
  /** Has the catalog, and the place for images, where nothing else is said. */
  readonly context: Pick<AgentContext, 'catalog' | 'images' | 'registered'>
  /** Hears what is lacking. */
  readonly tell: (text: string) => void
  readonly onCaptureFailed: (error: GodwitError) => void
}

/**
 * What can be wrong about them is found out now.
 *
 * @throws {GodwitError} `USAGE`, `FILE_UNREADABLE`, `FILE_UNWRITABLE`: that of an image
 */
export async function provide(asked: MigrateSettings, place: ProvisionPlace): Promise<Provisions> {
  const { directory, entry, context, tell, onCaptureFailed } = place
  const said = absolute(asked, directory)
  const { catalog = context.catalog } = said
  const known = catalog === undefined ? {} : { ...knownOf(entry, context), catalog }
  const settings = { ...known, ...said, pageBytes: entry.here!.pageBytes, quiet: true }
  checkCatalogOptions(settings)
  checkStatic(settings)
  const { policy, capture } = settings
  const traffic = readCompeting(settings)
  const own = policy === undefined ? {} : { policy: await loadPolicy(policy) }
  const { images = [] } = entry.here!
  const readStatic = await beginLoading(settings, tell, { keepImage: context.images, images })
  const openCapture =
    capture === undefined ? {} : { openCapture: () => openFile(capture, onCaptureFailed) }
  return { ...own, ...openCapture, readStatic, traffic }
}

/** By what the catalog knows the guest, where nothing else is said. */
function knownOf(entry: GuestEntry, { registered }: Pick<AgentContext, 'registered'>): MapSettings {
  const { name, os, hypervisor } = entry
  return {
    vmName: registered(entry)?.name ?? name,
    ...(os === undefined ? {} : { os: parseRelease(os) }),
    ...(hypervisor === undefined ? {} : { hypervisor: parseRelease(hypervisor) }),
  }
}

function openFile(path: string, onFailed: (error: GodwitError) => void): CaptureFile {
  return new CaptureFile(path, 'source', onFailed)
}

/** With names of files that begin at the root folder. */
function absolute(asked: MigrateSettings, directory: string): MigrateSettings {
  const { policy, capture, images, keepImage, catalog } = asked
  const at = (path: string): string => resolve(directory, path)
  return {
    ...asked,
    ...(policy === undefined ? {} : { policy: at(policy) }),
    ...(capture === undefined ? {} : { capture: at(capture) }),
    ...(images === undefined ? {} : { images: at(images) }),
    ...(keepImage === undefined ? {} : { keepImage: { ...keepImage, path: at(keepImage.path) } }),
    ...(catalog === undefined ? {} : { catalog: absoluteCatalog(catalog, at) }),
  }
}

function absoluteCatalog(url: string, at: (path: string) => string): string {
  const { kind, target } = parseCatalogUrl(url)
  return kind === 'sqlite' ? `sqlite:${at(target)}` : url
}
