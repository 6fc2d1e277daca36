/**
 * The search for contents that are here already, while room is made: it costs a bounded time, and
 * a migration goes on without what it does not find.
 *
 * @module
 */
import type { Clock } from '@godwit/core'
import { toGodwitError } from '@godwit/core'

/** What came of a search. */
export interface SearchResult<Found> {
  readonly found: readonly Found[]
  /** Why nothing, for this side's report. A peer that was told could tell reasons apart. */
  readonly failure?: string
}

/** Of one migration. */
export class StaticSearch<Found> {
  /** Never rejects. Resolves when the search is over, cancelled or out of time. */
  readonly result: Promise<SearchResult<Found>>
  readonly #stop = new AbortController()
  readonly #cancelDeadline: () => void
  #settle: (result: SearchResult<Found>) => void = () => {}

  /**
   * Begins at once.
   *
   * @param limitMs - what comes later is not waited for; the signal says so
   */
  constructor(
    clock: Clock,
    limitMs: number,
    find: (signal: AbortSignal) => Promise<readonly Found[]>,
  ) {
    this.result = new Promise((resolve) => {
      this.#settle = resolve
    })
    this.#cancelDeadline = clock.after(limitMs, () => {
      this.#end({ found: [], failure: `nothing was found within ${limitMs} ms` })
    })
    void this.#run(find)
  }

  /** The migration is over, or has no use for it any more. */
  cancel(): void {
    this.#end({ found: [] })
  }

  async #run(find: (signal: AbortSignal) => Promise<readonly Found[]>): Promise<void> {
    const { signal } = this.#stop
    try {
      const found = await find(signal)
      if (!signal.aborted) this.#end({ found })
    } catch (thrown) {
      // One that was told to stop may say so.
      if (!signal.aborted) this.#end({ found: [], failure: toGodwitError(thrown).message })
    }
  }

  /** The first end counts. */
  #end(result: SearchResult<Found>): void {
    this.#cancelDeadline()
    this.#stop.abort()
    this.#settle(result)
  }
}
