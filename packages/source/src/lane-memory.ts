/**
 * The memory of a lane: how many batches are under way, and what encoding takes beside them.
 *
 * @module
 */
import type { Workspace } from '@godwit/codec'
import { KIB } from '@godwit/core'
import {
  BatchSlot,
  batchPages,
  batchSlotBytes,
  compressedBatchPages,
  richEncoderBytes,
  slotsPerStep,
} from '@godwit/codec'
import type { EncodeSettings } from '@godwit/policy'
import { looksAtPages, parseEncode } from '@godwit/policy'

/** Batches on their way at once: enough to keep the socket busy while the next is encoded. */
export const PLAIN_SLOTS = 6

/**
 * Whether pages are looked at one by one.
 *
 * @param findsStatic - in what the destination holds anyway
 */
export function needsRichLane(settings: EncodeSettings, findsStatic: boolean): boolean {
  return looksAtPages(settings) || (findsStatic && !settings.raw)
}

/** The slots of a lane, made in `workspace`. */
export function createSlots(
  workspace: Workspace,
  pageBytes: number,
  settings: EncodeSettings,
  findsStatic: boolean,
): readonly BatchSlot[] {
  const { count, pages } = slotsOf(pageBytes, settings, findsStatic)
  return Array.from({ length: count }, () => new BatchSlot(workspace, pageBytes, pages))
}

/** How many slots a lane has, and the pages that each has room for. */
function slotsOf(
  pageBytes: number,
  settings: EncodeSettings,
  findsStatic: boolean,
): { readonly count: number; readonly pages: number } {
  // More where batches are filled side by side and compressed meanwhile.
  return needsRichLane(settings, findsStatic)
    ? // One page more: records may stand behind the last whole one.
      {
        count: PLAIN_SLOTS + 2 * slotsPerStep(findsStatic),
        pages: compressedBatchPages(pageBytes) + 1,
      }
    : { count: PLAIN_SLOTS, pages: batchPages(pageBytes) }
}

/** Pages of a round's first batch; each that follows may have twice as many. */
const firstBatchPages = 16
const doublingsMax = 8

/**
 * Most pages of a batch whose pages are looked at, when so many of the round were before it. What
 * is not compressed gains nothing by being long, and the link waits for the first.
 */
export function richBatchPages(
  pageBytes: number,
  settings: EncodeSettings,
  batches: number,
): number {
  if (settings.compression !== 'none') return compressedBatchPages(pageBytes)
  return Math.min(batchPages(pageBytes), firstBatchPages << Math.min(batches, doublingsMax))
}

/** How many lanes the warm-up makes, one after the other. */
export const WARM_UP_LANES = 4
/** Enough for every path to be gone; each such lane has its own. */
const warmUpCacheBytes = 256 * KIB

/**
 * What such a lane is asked to do: all that the real one does, with next to no memory, and with
 * nothing that waits for a link to be measured.
 */
export function warmUpSettingsFor(settings: EncodeSettings): EncodeSettings {
  if (!needsRichLane(settings, false)) return parseEncode('none')
  const cacheBytes = Math.min(settings.cacheBytes, warmUpCacheBytes)
  const fixed = { auto: false, level: 1, cpuShareMax: Infinity }
  return { ...settings, ...fixed, admit: 'all', cacheBytes, storeBytes: 0 }
}

/** What the warm-up takes of a workspace, its slots apart, which are a lane's. */
export function warmUpBytes(pageBytes: number, settings: EncodeSettings): number {
  if (!needsRichLane(settings, false)) return 0
  const own = warmUpSettingsFor(settings)
  return WARM_UP_LANES * richEncoderBytes(pageBytes, own, own.cacheBytes)
}

/** What a lane takes of its workspace. */
export function laneBytes(
  pageBytes: number,
  settings: EncodeSettings,
  cacheBytes: number,
  findsStatic: boolean,
): number {
  const { count, pages } = slotsOf(pageBytes, settings, findsStatic)
  const rich = needsRichLane(settings, findsStatic)
    ? richEncoderBytes(pageBytes, settings, cacheBytes)
    : 0
  return count * batchSlotBytes(pageBytes, pages) + rich
}
