/**
 * What the engine knows of a guest: regions of memory, a tracker of its stores, and how to stop,
 * capture, restore and start it. Everything else is the adapter's business.
 *
 * @module
 */
import type { PageBitmap } from './bitmap.ts'
import type { DemandPager } from './demand-pager.ts'
import type { PageClasses } from './page-classes.ts'

/** A contiguous piece of guest memory; at most 4 GiB. */
export interface Region {
  /** Unique within the guest, 0 .. 65535. */
  readonly id: number
  readonly name: string
  /** The live memory itself. Shared with the running guest: it changes at any time. */
  readonly bytes: Uint8Array
}

/** A region as announced on the wire. */
export interface RegionShape {
  readonly id: number
  readonly name: string
  readonly byteLength: number
}

/** Who the guest is; enough for the destination to build an empty one of the same kind. */
export interface GuestIdentity {
  /** The adapter: `writer`, `image`, `memory` (a library user's own), ... */
  readonly kind: string
  /** The adapter's options, by name. */
  readonly options: Readonly<Record<string, string | number>>
}

/**
 * Finds out which pages of one region were stored to.
 *
 * The contract that makes pre-copy safe: {@link collect} clears a page's mark *before* it returns,
 * and whoever copies the page does so afterwards, so a store that the copy missed is marked again.
 */
export interface DirtyTracker {
  readonly name: string
  /** Most pages to ask for in one call, so that the caller's thread stays responsive. */
  readonly collectPagesMax: number
  /**
   * Set where dirty pages are found by comparing them with what was sent: then there is nothing to
   * collect of pages that were not.
   */
  readonly comparesContent?: boolean
  /** Forgets everything: the next {@link collect} reports stores from now on. */
  reset(): void
  /**
   * Adds the dirty pages of `[firstPage, firstPage + pageCount)` to `into` and clears their marks.
   *
   * @returns how many dirty pages were found that were not there already
   */
  collect(firstPage: number, pageCount: number, into: PageBitmap): number
  /**
   * Adds pages that nobody has touched since their memory was allocated: they are zero, and known
   * to be without a look at them. Called after {@link reset}: stores since then are reported by
   * {@link collect}, whether they are excluded here or not.
   */
  addUntouched?(into: PageBitmap): void
}

/** A guest that can be moved away. */
export interface Guest {
  readonly identity: GuestIdentity
  readonly regions: readonly Region[]
  /**
   * One per region, in the same order. Absent when nobody marks the guest's stores: the source
   * then scans, comparing every page with the fingerprint of what it sent.
   */
  readonly trackers?: readonly DirtyTracker[]
  /** What the guest can do without; for page selector `classes`, which needs it. */
  readonly classes?: PageClasses
  /** Stops every store to guest memory; resolved once that is true. */
  pause(): Promise<void>
  /**
   * Undoes {@link pause}. Never called after the guest was released to the other side, unless that
   * is dead and the guest is taken over.
   */
  resume(): void
  /**
   * Takes away so much of the guest's time from now on, evenly: 0 (all of it is the guest's again)
   * to below 1. What it would have done in that time is not made up for, so that a guest that does
   * its work by the clock does less, too. Changes when something is computed, never what. Absent
   * where a guest can only be stopped altogether.
   */
  throttle?(share: number): void
  /** Everything beside memory (registers), as one opaque package. Only while paused. */
  captureState(): Uint8Array | Promise<Uint8Array>
  /**
   * Loads what {@link captureState} made elsewhere, for a guest that may be taken over from a
   * checkpoint. Only while paused. Rejects when the package is not right.
   */
  restoreState?(state: Uint8Array): void | Promise<void>
  /** Steps done so far, for guests that count them. */
  steps?(): number
}

/** What a source wants to bring. */
export interface GuestOffer {
  readonly identity: GuestIdentity
  readonly pageBytes: number
  readonly regions: readonly RegionShape[]
  /** Whether the guest is to run before all of its pages are there. */
  readonly isPostCopy?: boolean
}

/** A guest that is arriving: memory reserved, not running. */
export interface IncomingGuest {
  /** As offered, in the same order, all bytes zero; the engine installs pages here. */
  readonly regions: readonly Region[]
  /** Where the guest was offered for post-copy; absent when it cannot wait for pages. */
  readonly pager?: DemandPager | undefined
  /** Loads the state package; the guest stays stopped. Rejects when the package is not right. */
  restoreState(state: Uint8Array): void | Promise<void>
  /** Starts the guest. From here on this side owns it. */
  run(): void | Promise<void>
  /** Gives the memory back; the guest never ran, or its time is over. */
  discard(): void | Promise<void>
  /** Stops the guest again and tells its steps and registers. Only after {@link run}. */
  stop?(): Promise<FinalState>
  /** Steps done so far, for guests that count them. */
  steps?(): number
  /** One per region, in the same order: stores of the guest itself, pages that come apart. */
  readonly trackers?: readonly DirtyTracker[]
  /**
   * Stops every store, has `copy` take what it wants of memory and of the state package, and lets
   * the guest go on at once. Where threads wait for pages this takes until those are there. One at
   * a time.
   *
   * @param signal - the guest goes on although it was not looked at
   * @returns false when it was given up, or the guest's time is over
   */
  checkpoint?(copy: (state: Uint8Array) => void, signal: AbortSignal): Promise<boolean>
}

/** How a guest ended at the destination: the second half of the proof of continuity. */
export interface FinalState {
  readonly steps: number
  readonly registers: Uint8Array
}

/**
 * Makes all bytes of `regions` zero and all of their pages resident: the first store to a page
 * costs many times a later one, and the guest must not wait for it.
 *
 * The memory stays the host's. It is lent until the promise settles, and nobody else stores to it
 * until then; afterwards nobody here does, also when the promise rejects.
 *
 * @param isFresh - nobody has stored to the memory since it was allocated: it is zero already, and
 *   one store of zero to each page is enough
 */
export type ZeroMemory = (regions: readonly Region[], isFresh: boolean) => Promise<void>

/** Makes room for guests at the destination. */
export interface GuestHost {
  /**
   * Reserves everything the guest needs, its memory zero and resident. When that fails, nothing is
   * reserved.
   *
   * @param zero - the engine's, which knows how to do it quickly; to be called by the host, since
   *   only the host knows which memory is fresh
   * @throws {LimitError} `NO_ROOM` with how much is lacking
   * @throws {GodwitError} `GUEST_UNKNOWN` or `GUEST_OPTION`
   */
  reserve(offer: GuestOffer, zero: ZeroMemory): Promise<IncomingGuest>
}
