/**
 * What is noted of every page of the guest: what was sent of it, and whether it changed since.
 *
 * @module
 */
import type { DirtyTracker, PageHasher, Region } from '@godwit/core'
import { FingerprintTable, pagesCovering } from '@godwit/core'
import type { SentPages } from '@godwit/codec'
import { createInPlaceHasher } from '@godwit/codec'
import { MemoryScan } from './memory-scan.ts'
import type { SourceOptions } from './options.ts'

/** Both per region. */
export interface TrackedPages {
  readonly sent: readonly SentPages[]
  readonly trackers: readonly DirtyTracker[]
  /** Where nobody reports stores. */
  readonly scan?: MemoryScan
}

/**
 * @param hasher - for trackers that compare memory with what was sent
 * @param seed - of the hasher
 */
export function trackPages(
  options: Pick<SourceOptions, 'guest' | 'pageBytes' | 'trackers' | 'primitives' | 'hash'>,
  hasher: PageHasher,
  seed: Uint8Array,
): TrackedPages {
  const { guest, pageBytes, trackers, primitives, hash } = options
  const sent = guest.regions.map((region) => {
    const pages = pagesCovering(region.bytes.length, pageBytes)
    return { region, fingerprints: FingerprintTable.shared(pages, hasher.entryBytes) }
  })
  if (trackers !== undefined) return { sent, trackers }
  // Nobody reports stores to other memory.
  const addZeros = guest.addUntouched?.bind(guest, pageBytes)
  const hasherOf = (region: Region): PageHasher =>
    createInPlaceHasher({ primitives, region, hash, seed, thread: 0 }) ?? hasher
  const scan = new MemoryScan(sent, pageBytes, hasherOf, addZeros)
  return { sent, trackers: scan.trackers, scan }
}
