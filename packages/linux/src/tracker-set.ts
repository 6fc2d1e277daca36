/**
 * Trackers for all regions of a guest, over one pair of descriptors.
 *
 * @module
 */
import { type Region, toGodwitError } from '@godwit/core'
import { PagemapTracker } from './pagemap-tracker.ts'
import { probePagemap } from './probe.ts'
import { loadSystemCalls } from './system-calls.ts'
import { WriteWatch } from './write-watch.ts'

/** Used from the thread that made it, only; the threads that store may be any. */
export interface PagemapTrackers {
  /** One per region, in the same order. */
  readonly trackers: PagemapTracker[]
  /** Closes all trackers and their descriptors; safe while other threads store. */
  close(): void
}

/**
 * Tracks the regions from here on, or tells in one line why that cannot be; nothing is left behind
 * then. Never rejects.
 */
export async function createPagemapTrackers(
  regions: readonly Region[],
  pageBytes: number,
): Promise<PagemapTrackers | { readonly reason: string }> {
  const probe = await probePagemap()
  if (!probe.ok) return { reason: probe.reason }
  let watch: WriteWatch | undefined
  try {
    const opened = new WriteWatch(await loadSystemCalls())
    watch = opened
    const trackers = regions.map(
      (region) => new PagemapTracker({ region, pageBytes, watch: opened }),
    )
    return {
      trackers,
      close: () => {
        for (const tracker of trackers) tracker.close()
        opened.close()
      },
    }
  } catch (error) {
    watch?.close()
    return { reason: toGodwitError(error).message }
  }
}
