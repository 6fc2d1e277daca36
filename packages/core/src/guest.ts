/**
 * What the engine knows of a guest: regions of memory, a tracker of its stores, and how to stop,
 * capture, restore and start it. Everything else is the adapter's business.
 *
 * `docs/ADAPTERS.md` tells how to write one, and has the promises below as a table; the suite
 * `godwit/adapter-suite` tries them.
 *
 * Who calls what, at the source: `regions` and trackers while the guest runs; `pause`, trackers a
 * last time, `captureState`; then `resume` where the guest stays. At the destination: `reserve`,
 * pages into `regions`, `restoreState`, `run`; `discard` from any of these on. All of it from one
 * thread, a call after the other; `throttle` may come at any time.
 *
 * @module
 */
import type { PageBitmap } from './bitmap.ts'
import type { DemandPager } from './demand-pager.ts'
import type { PageClasses } from './page-classes.ts'
import type { StoreMarks } from './store-marks.ts'
import { KIB } from './units.ts'

/**
 * A contiguous piece of guest memory; 1 byte to 4 GiB. A guest has 1 to 1024 of them, no two of
 * which share a byte. They neither grow nor move while somebody migrates the guest.
 */
export interface Region {
  /** Unique within the guest, 0 .. 65535. */
  readonly id: number
  /** At most 128 characters. */
  readonly name: string
  /**
   * The live memory itself. Shared with the running guest: it changes at any time. Threads of the
   * engine work on it where its buffer is a `SharedArrayBuffer`; else the calling thread does.
   *
   * The adapter owns it. The source only reads it, but for a takeover, which restores it while
   * the guest is paused; the destination stores to it until {@link IncomingGuest.run}, and to pages
   * that are still missing after it.
   */
  readonly bytes: Uint8Array
  /**
   * The shared `WebAssembly.Memory` that `bytes` begins, where {@link COMPARE_ROOM_BYTES} of it are
   * left for the engine, from the next multiple of 64 KiB on: then pages whose stores nobody
   * reports are compared where they are. Without it they are copied first, which takes twice as
   * long.
   */
  readonly memory?: { readonly buffer: ArrayBufferLike }
}

/** So many threads compare pages in place. */
export const COMPARE_THREADS_MAX: number = 16
/** Of one thread. */
export const COMPARE_THREAD_BYTES: number = 320 * KIB
/** Behind the memory of a region; what no thread comes to use is never touched. */
export const COMPARE_ROOM_BYTES: number = COMPARE_THREADS_MAX * COMPARE_THREAD_BYTES

/** A region as announced on the wire. */
export interface RegionShape {
  readonly id: number
  readonly name: string
  readonly byteLength: number
}

/**
 * Who the guest is; enough for the destination to build an empty one of the same kind. Plain data,
 * which travels: the same whenever it is read.
 */
export interface GuestIdentity {
  /** The adapter: `writer`, `image`, `memory` (a library user's own), ... 1 to 128 characters. */
  readonly kind: string
  /** The adapter's options, by name; at most 64, texts of at most 4096 characters. */
  readonly options: Readonly<Record<string, string | number>>
}

/**
 * Finds out which pages of one region were stored to.
 *
 * The contract that makes pre-copy safe: {@link collect} clears a page's mark *before* it returns,
 * and whoever copies the page does so afterwards, so a store that the copy missed is marked again.
 * Pages that were not stored to may be reported, too: that costs time, no content.
 *
 * Each call returns at once and does not fail. One thread calls, the guest runs meanwhile.
 */
export interface DirtyTracker {
  readonly name: string
  /**
   * Most pages to ask for in one call, so that the caller's thread stays responsive; 1 or more. Who
   * asks for pages beyond the region's last one gets those that there are.
   */
  readonly collectPagesMax: number
  /**
   * Set where dirty pages are found by comparing them with what was sent: then there is nothing to
   * collect of pages that were not.
   */
  readonly comparesContent?: boolean
  /** Forgets everything: the next {@link collect} reports stores from now on. */
  reset(): void
  /**
   * Adds the dirty pages of `[firstPage, firstPage + pageCount)` to `into` and clears their marks;
   * other marks, and what is in `into` already, stay. The set is the caller's.
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

/** How a guest stopped that does so by itself. */
export interface GuestStop {
  /** For how many milliseconds it stands already: they belong to its downtime. */
  readonly stoodMs: number
  /** What it went by, for the report. */
  readonly numbers: Readonly<Record<string, number>>
}

/**
 * A guest that can be moved away. It runs while it is migrated, and after a migration that failed
 * or was cancelled before the hand-over it runs on, as if there had been none; another may follow.
 */
export interface Guest {
  readonly identity: GuestIdentity
  /** In the order in which they arrive. */
  readonly regions: readonly Region[]
  /**
   * One per region, in the same order. Absent when nobody marks the guest's stores: the source
   * then scans, comparing every page with the fingerprint of what it sent.
   */
  readonly trackers?: readonly DirtyTracker[]
  /**
   * Set where another process stores to the memory, too: what this process' kernel tells of stores
   * here misses those, so pages are compared with what was sent.
   */
  readonly isForeign?: boolean
  /**
   * Adds pages of region number `region` that hold zero bytes at this moment, as is known without a
   * look at them, which might cost memory; for guests without trackers. One that is stored to while
   * this looks is told, or found, the next time.
   */
  addUntouched?(pageBytes: number, region: number, into: PageBitmap): void
  /**
   * Which pages were stored to since a migration began, where somebody marks them; for guests
   * without trackers: only marked pages are compared with what was sent.
   */
  readonly marks?: StoreMarks
  /** What the guest can do without; for page selector `classes`, which needs it. */
  readonly classes?: PageClasses
  /**
   * Only for a guest that stops by itself, like a machine whose hypervisor streams its memory
   * and stops it when little is left. Stores count from a {@link DirtyTracker.reset} of the running
   * guest on, up to {@link resume}: they may be told of, and be in its memory, then only.
   *
   * Called after each round. Resolves when so much was stored since the trackers were asked that
   * another round is worth it; or with how the guest stopped, once it stands and all its stores are
   * in memory. Then rounds end, by the rule `guest`; {@link pause} may come before that.
   * {@link resume} follows where the migration ends before the hand-over, even if {@link pause} was
   * never called. A rejection fails the migration.
   */
  nextRound?(): Promise<GuestStop | undefined>
  /**
   * Only with {@link nextRound}, for a guest whose stores come to memory in the order of regions
   * and pages, again and again. Called while a round goes on, which has pages that come then, too,
   * as long as they lie behind those that it has. Resolves when some came since the trackers were
   * asked: with how many pages may wait to be sent, since more would be a longer pause; or with 0
   * when the round need not wait for more. A rejection fails the migration.
   */
  nextPages?(): Promise<number>
  /**
   * Stops every store to guest memory, those of devices and of the adapter, too; resolved once that
   * is true, and it stays true until {@link resume}. Of a guest that is paused, or about to be, it
   * resolves when that is true.
   *
   * Everything that the guest still has under way ends or becomes part of its memory or state. This
   * is downtime. A rejection (`GUEST_FAILED`) fails the migration, and {@link resume} follows.
   */
  pause(): Promise<void>
  /**
   * Undoes {@link pause}, however often that was called, also one that rejected. The guest goes on
   * when it settles, or soon. Of a guest that runs it changes nothing. What it rejects with is in
   * the report: the guest did not go on.
   *
   * Never called after the guest was released to the other side, unless that is dead and the guest
   * is taken over. After a migration that completed the guest stays paused until its owner ends it.
   */
  resume(): void | Promise<void>
  /**
   * Takes away so much of the guest's time from now on, evenly: 0 (all of it is the guest's again)
   * to below 1. What it would have done in that time is not made up for, so that a guest that does
   * its work by the clock does less, too. Changes when something is computed, never what. A guest
   * that is paused stays so: the engine gives everything back in the pause, or when a migration
   * ends. Absent where a guest can only be stopped altogether.
   */
  throttle?(share: number): void
  /**
   * Everything beside memory (registers), as one opaque package of at most 64 MiB. Only while
   * paused: throws or rejects else, which fails the migration. Asked again in the same pause, it
   * tells the same bytes. Each package is the caller's: the adapter does not touch it afterwards.
   */
  captureState(): Uint8Array | Promise<Uint8Array>
  /**
   * Loads what {@link captureState} made elsewhere, for a guest that may be taken over from a
   * checkpoint; its memory was restored before. Only while paused. The package is lent until this
   * settles.
   *
   * @throws {GodwitError} `PROTOCOL_STATE` when the package is not right; then nothing was loaded
   */
  restoreState?(state: Uint8Array): void | Promise<void>
  /** Steps done so far, for guests that count them: whole, never fewer; none while paused. */
  steps?(): number
}

/**
 * What a source wants to bring. It comes from a peer: the engine has checked that it is within the
 * limits of the wire, and that `pageBytes` is a page size; all else is the host's to check.
 */
export interface GuestOffer {
  readonly identity: GuestIdentity
  readonly pageBytes: number
  readonly regions: readonly RegionShape[]
  /** Whether the guest is to run before all of its pages are there. */
  readonly isPostCopy?: boolean
  /** What the source calls it, where it says so: 1 to 128 characters. */
  readonly name?: string | undefined
  /** Of the migration, and where its source is, for what is told of it. */
  readonly session?: string
  readonly from?: string
}

/**
 * A guest that is arriving: memory reserved, not running. Nobody but the engine stores to its
 * memory before {@link run}.
 */
export interface IncomingGuest {
  /** As offered, in the same order, all bytes zero; the engine installs pages here. */
  readonly regions: readonly Region[]
  /** Where the guest was offered for post-copy; absent when it cannot wait for pages. */
  readonly pager?: DemandPager | undefined
  /**
   * Loads the state package, which comes from a peer and is to be checked; the guest stays stopped.
   * Its memory is there, but in post-copy. The package is lent until this settles. What it rejects
   * with fails the migration: the guest goes on at the source.
   *
   * @throws {GodwitError} `PROTOCOL_STATE` when the package is not right; then nothing was loaded
   */
  restoreState(state: Uint8Array): void | Promise<void>
  /**
   * Starts the guest; once, after {@link restoreState}. From here on this side owns it, whatever
   * this throws (`GUEST_FAILED`): prepare what can fail in {@link restoreState}.
   */
  run(): void | Promise<void>
  /**
   * Gives the memory back; the guest never ran, or its time is over: nobody stores to it any more
   * when this settles. At any time, also while {@link restoreState} has not been called; once, and
   * the last call.
   */
  discard(): void | Promise<void>
  /**
   * Stops the guest again and tells its steps and registers. Only after {@link run}. Waits for a
   * {@link checkpoint} that is being taken.
   */
  stop?(): Promise<FinalState>
  /** Steps done so far, for guests that count them; after {@link restoreState} those of before. */
  steps?(): number
  /** One per region, in the same order: stores of the guest itself, pages that come apart. */
  readonly trackers?: readonly DirtyTracker[]
  /**
   * Stops every store, has `copy` take what it wants of memory and of the state package, and lets
   * the guest go on at once. Where threads wait for pages this takes until those are there. One at
   * a time. The package is the adapter's: `copy` copies it.
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
   * reserved, also where `zero` rejects; the reason is what this rejects with.
   *
   * @param zero - the engine's, which knows how to do it quickly; to be called by the host, since
   *   only the host knows which memory is fresh
   * @param agreed - may be called when the guest is to be taken and its memory will still be a
   *   while, so that the engine gets ready meanwhile; `zero` says the same
   * @throws {LimitError} `NO_ROOM` with how much is lacking; the engine may make room and ask again
   * @throws {GodwitError} `GUEST_UNKNOWN` for another kind; `GUEST_OPTION` for options or shapes
   *   that this host cannot take; `PROTOCOL_CAPABILITY` where it is offered for post-copy and
   *   cannot wait for pages: a guest without a pager does as well
   */
  reserve(offer: GuestOffer, zero: ZeroMemory, agreed?: () => void): Promise<IncomingGuest>
}
