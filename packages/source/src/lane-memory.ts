/**
 * The memory of a lane: how many batches are under way, and what encoding takes beside them.
 *
 * @module
 */
import type { Workspace } from '@godwit/codec'
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

/** How many lanes the warm-up makes, one after the other. */
export const WARM_UP_LANES = 4
const warmUpSettings = { plain: parseEncode('none'), rich: parseEncode('same') } as const

/** What such a lane is asked to do: all of the real one that takes no memory of its own. */
export function warmUpSettingsFor(settings: EncodeSettings): EncodeSettings {
  return needsRichLane(settings, false) ? warmUpSettings.rich : warmUpSettings.plain
}

/** What the warm-up takes of a workspace, its slots apart, which are a lane's. */
export function warmUpBytes(pageBytes: number, settings: EncodeSettings): number {
  if (!needsRichLane(settings, false)) return 0
  return WARM_UP_LANES * richEncoderBytes(pageBytes, warmUpSettings.rich, 0)
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
