/**
 * Which dirty tracker a migration uses on this machine.
 *
 * @module
 */
import type { DirtyTracker, Guest } from '@godwit/core'
import { GodwitError } from '@godwit/core'
import { createPagemapTrackers } from '@godwit/linux'

/** `auto` takes the first that works: `pagemap`, `barrier`, `scan`. */
export type TrackerChoice = 'auto' | 'pagemap' | 'barrier' | 'scan'

export interface ChosenTrackers {
  /** One per region; undefined for `scan`, which the source does by itself. */
  readonly trackers: readonly DirtyTracker[] | undefined
  /** Why `auto` could not take `pagemap`. */
  readonly reason?: string
  /** After the migration, whatever its outcome. */
  close(): void
}

const nothing = (): void => {}

/** @throws {GodwitError} `USAGE` when the tracker that was asked for cannot be had */
export async function chooseTrackers(
  guest: Guest,
  choice: TrackerChoice,
  pageBytes: number,
): Promise<ChosenTrackers> {
  if (choice === 'scan') return { trackers: undefined, close: nothing }
  if (guest.isForeign === true) {
    if (choice === 'auto') return { trackers: undefined, close: nothing }
    const text = `Another process stores to the memory of a ${guest.identity.kind} guest`
    throw new GodwitError('USAGE', `${text}: ${choice} does not see those; use scan or auto`)
  }
  if (choice === 'barrier') {
    if (guest.trackers !== undefined) return { trackers: guest.trackers, close: nothing }
    throw new GodwitError('USAGE', 'This guest does not mark its stores; use pagemap or scan')
  }
  const pagemap = await createPagemapTrackers(guest.regions, pageBytes)
  if ('trackers' in pagemap) return pagemap
  if (choice === 'pagemap') {
    throw new GodwitError('USAGE', `The pagemap tracker cannot be had: ${pagemap.reason}`)
  }
  return { trackers: guest.trackers, reason: pagemap.reason, close: nothing }
}
