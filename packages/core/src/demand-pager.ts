/**
 * How a guest runs before all of its pages are there: who makes its threads wait for the others,
 * and how these get to their places.
 *
 * @module
 */
import type { Region } from './guest.ts'
import type { PageStates } from './page-states.ts'
import type { FaultReport } from './report.ts'

/** Puts pages of one region to their places where memory cannot be stored to before. */
export interface PagePlacer {
  /**
   * Whole pages from `firstPage` on, of which the region's last may be short, are to hold
   * `bytes[start, end)`. They can be loaded and stored to at once: this must be the last of what
   * is done to their content. What is there already stays as it is.
   */
  put(firstPage: number, bytes: Uint8Array, start: number, end: number): void
  /** The same with zeros, for pages `[firstPage, endPage)`. */
  clear(firstPage: number, endPage: number): void
}

/** What another thread needs to place pages: plain values and shared memory. */
export interface PlacingParts {
  /**
   * Open until the pager is closed, whoever uses it: to place pages, all of which are not there yet
   * then. Who reads faults on another thread duplicates it, since that does not end with the pages.
   */
  readonly descriptor: number
  readonly pageBytes: number
  /** Of a `FaultLog`. */
  readonly log: Int32Array
  /** In the order of the guest's regions. */
  readonly regions: readonly PlacingRegion[]
}

/** One region of {@link PlacingParts}. */
export interface PlacingRegion {
  /** Address of its first byte in this process. */
  readonly start: number
  readonly byteLength: number
  /** Of its `PageStates`. */
  readonly states: Int32Array
  /** Per page when somebody began to wait for it, 0 while nobody has. */
  readonly since: Int32Array
  /**
   * What the kernel's last page is to hold, where the region ends within it: behind the end of the
   * region what was there before. Empty where it does not.
   */
  readonly tail: Uint8Array
}

/**
 * Makes a pager for memory whose threads need not be told; throws where it does not fit.
 *
 * @throws {GodwitError} `USAGE`, `INTERNAL`
 */
export type CreatePager = (regions: readonly Region[], pageBytes: number) => DemandPager

/** Where a thread can hear which pages are waited for: plain values and shared memory. */
export type FaultSource =
  /** See `FaultQueue` of `memory`. */
  | { readonly pager: 'gate'; readonly queue: Int32Array }
  /** See `UserfaultReader` of `linux`. */
  | { readonly pager: 'uffd'; readonly placing: PlacingParts }

/** Makes threads of a guest that runs already wait for pages that are still to come. */
export interface DemandPager {
  readonly name: string
  /** Pages that are discarded lose their content: nothing may be told by what they held. */
  readonly forgets: boolean
  /** One per region, in order. Whoever installs a page that was discarded says so here. */
  readonly states: readonly PageStates[]
  /** One per region, for discarded pages; absent where memory is stored to directly. */
  readonly placers?: readonly PagePlacer[] | undefined
  /** For placers on other threads; there where {@link placers} are. */
  readonly placing?: PlacingParts | undefined
  /** Pages `[firstPage, endPage)` are to come. Before the guest runs. */
  discard(region: number, firstPage: number, endPage: number): void
  /**
   * The guest is about to run: from here on, who touches a page that was discarded waits for it.
   * What is discarded later must not be in use.
   */
  arm(): void
  /** For a thread that hears in place of {@link listen}. */
  readonly source: FaultSource
  /** Sets who hears of pages that threads wait for, each once; some have come in the meantime. */
  listen(onFault: (region: number, page: number) => void): void
  /** What threads have waited so far. */
  readonly faults: FaultReport
  /**
   * All pages are there: nobody listens any more. Idempotent.
   *
   * @throws {GodwitError} `INTERNAL` when some are not, where threads would not wait any longer
   */
  close(): void
  /** The rest of the pages never comes: threads that wait for one end. Idempotent. */
  abandon(): void
}
