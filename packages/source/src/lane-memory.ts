/**
 * The memory of a lane: how many batches are under way, and what encoding takes beside them.
 *
 * @module
 */
import type { Workspace } from '@godwit/codec'
import {
  BatchSlot,
  SLOTS_PER_STEP,
  batchPages,
  batchSlotBytes,
  compressedBatchPages,
  richEncoderBytes,
} from '@godwit/codec'
import type { EncodeSettings } from '@godwit/policy'
import { looksAtPages } from '@godwit/policy'

/** Batches on their way at once: enough to keep the socket busy while the next is encoded. */
export const PLAIN_SLOTS = 6
/** More where batches are filled side by side and compressed meanwhile. */
const richSlotCount = PLAIN_SLOTS + 2 * SLOTS_PER_STEP
/** The slots of a lane, made in `workspace`. */
export function createSlots(
  workspace: Workspace,
  pageBytes: number,
  settings: EncodeSettings,
): readonly BatchSlot[] {
  const { count, pages } = slotsOf(pageBytes, settings)
  return Array.from({ length: count }, () => new BatchSlot(workspace, pageBytes, pages))
}

/** How many slots a lane has, and the pages that each has room for. */
function slotsOf(
  pageBytes: number,
  settings: EncodeSettings,
): { readonly count: number; readonly pages: number } {
  return looksAtPages(settings)
    ? // One page more: records may stand behind the last whole one.
      { count: richSlotCount, pages: compressedBatchPages(pageBytes) + 1 }
    : { count: PLAIN_SLOTS, pages: batchPages(pageBytes) }
}

/** What a lane takes of its workspace. */
export function laneBytes(pageBytes: number, settings: EncodeSettings, cacheBytes: number): number {
  const { count, pages } = slotsOf(pageBytes, settings)
  const rich = looksAtPages(settings) ? richEncoderBytes(pageBytes, settings, cacheBytes) : 0
  return count * batchSlotBytes(pageBytes, pages) + rich
}
