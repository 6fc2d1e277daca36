/**
 * Which dirty tracker a migration uses on this machine.
 *
 * @module
 */
import type { DirtyTracker, Guest, StoreMarks } from '@godwit/core'
import { GodwitError } from '@godwit/core'
import { createPagemapTrackers } from '@godwit/linux'

/**
 * `auto` takes the first that works: `pagemap`, `barrier`, `soft-dirty`, `scan`. The last two
 * compare pages with what was sent: those that the kernel marked in another process, or all.
 */
export type TrackerChoice = (typeof TRACKERS)[number]
export const TRACKERS = ['auto', 'pagemap', 'barrier', 'soft-dirty', 'scan'] as const

export interface ChosenTrackers {
  /** One per region; undefined for `scan`, which the source does by itself. */
  readonly trackers: readonly DirtyTracker[] | undefined
  /** Which pages it need not look at. */
  readonly marks?: StoreMarks
  /** What `auto` could not take, and why: one line for people. */
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
  if (guest.nextRound !== undefined && guest.trackers !== undefined) {
    // Nothing but its trackers tells it how far the engine is.
    if (choice === 'auto' || choice === 'barrier')
      return { trackers: guest.trackers, close: nothing }
    const { kind } = guest.identity
    throw new GodwitError('USAGE', `tracker ${choice}: guest ${kind} here has a tracker of its own`)
  }
  if (choice === 'scan') return { trackers: undefined, close: nothing }
  if (choice === 'soft-dirty') return byMarks(guest, true)
  if (guest.isForeign === true) {
    if (choice === 'auto') return byMarks(guest, false)
    const text = `Another process stores to the memory of a ${guest.identity.kind} guest`
    const others = 'use soft-dirty, scan or auto'
    throw new GodwitError('USAGE', `${text}: ${choice} does not see those; ${others}`)
  }
  if (choice === 'barrier') {
    if (guest.trackers !== undefined) return { trackers: guest.trackers, close: nothing }
    throw new GodwitError('USAGE', 'This guest does not mark its stores; use pagemap or scan')
  }
  const pagemap = await createPagemapTrackers(guest.regions, pageBytes)
  if ('trackers' in pagemap) return pagemap
  const reason = `the pagemap tracker is not used: ${pagemap.reason}`
  if (choice === 'pagemap') {
    throw new GodwitError('USAGE', `The pagemap tracker cannot be had: ${pagemap.reason}`)
  }
  if (guest.trackers === undefined) return { ...byMarks(guest, false), reason }
  return { trackers: guest.trackers, reason, close: nothing }
}

/** @throws {GodwitError} `USAGE`: they are a must, and there are none */
function byMarks({ marks, identity }: Guest, isMust: boolean): ChosenTrackers {
  const chosen = { trackers: undefined, close: nothing }
  if (marks !== undefined && marks.lacking === undefined) return { ...chosen, marks }
  if (isMust) {
    const reason = marks?.lacking ?? `nobody marks stores of a ${identity.kind} guest`
    throw new GodwitError('USAGE', `Soft-dirty bits cannot be had: ${reason}; use scan or auto`)
  }
  if (marks === undefined) return chosen
  return { ...chosen, reason: `${marks.name} bits are not used: ${marks.lacking}` }
}
