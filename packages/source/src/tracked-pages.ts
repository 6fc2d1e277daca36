/**
 * What is noted of every page of the guest: what was sent of it, and whether it changed since.
 *
 * @module
 */
import type { DirtyTracker, PageHasher } from '@godwit/core'
import { FingerprintTable, pagesCovering } from '@godwit/core'
import type { SentPages } from '@godwit/codec'
import { ScanTracker } from '@godwit/memory'
import type { SourceOptions } from './options.ts'

/** Both per region. */
export interface TrackedPages {
  readonly sent: readonly SentPages[]
  readonly trackers: readonly DirtyTracker[]
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
  const scan = ({ region, fingerprints }: SentPages): DirtyTracker =>
    new ScanTracker({ region, pageBytes, hasher, sent: fingerprints })
  return { sent, trackers: sent.map(scan) }
}
