/**
 * What is noted of every page of the guest: what was sent of it, and whether it changed since.
 *
 * @module
 */
import type { DirtyTracker, PageHasher } from '@godwit/core'
import { FingerprintTable, pagesCovering } from '@godwit/core'
import type { SentPages } from '@godwit/codec'
import { MemoryScan } from './memory-scan.ts'
import type { SourceOptions } from './options.ts'

/** Both per region. */
export interface TrackedPages {
  readonly sent: readonly SentPages[]
  readonly trackers: readonly DirtyTracker[]
  /** Where nobody reports stores. */
  readonly scan?: MemoryScan
}

/** @param hasher - for trackers that compare memory with what was sent */
export function trackPages(
  { guest, pageBytes, trackers }: Pick<SourceOptions, 'guest' | 'pageBytes' | 'trackers'>,
  hasher: PageHasher,
): TrackedPages {
  const sent = guest.regions.map((region) => {
    const pages = pagesCovering(region.bytes.length, pageBytes)
    return { region, fingerprints: FingerprintTable.shared(pages, hasher.entryBytes) }
  })
  if (trackers !== undefined) return { sent, trackers }
  // Nobody reports stores to other memory.
  const addZeros = guest.addUntouched?.bind(guest, pageBytes)
  const scan = new MemoryScan(sent, pageBytes, hasher, addZeros)
  return { sent, trackers: scan.trackers, scan }
}
