/**
 * Tries whether an adapter keeps the promises of `Guest` and `GuestHost`; for any test runner.
 *
 * @module
 */
import type { Cleanup } from './adapter/stand.ts'
import { Stand } from './adapter/stand.ts'
import type { AdapterUnderTest } from './adapter/under-test.ts'
import { guestTrials } from './adapter/guest-trials.ts'
import { hostTrials } from './adapter/host-trials.ts'
import { marksTrials } from './adapter/marks-trials.ts'
import { moveTrials } from './adapter/move-trials.ts'
import { stateTrials } from './adapter/state-trials.ts'
import { throttleTrials } from './adapter/throttle-trials.ts'
import { trackerTrials } from './adapter/tracker-trials.ts'

export type { AdapterUnderTest, SuiteGuest, SuiteHost } from './adapter/under-test.ts'

/** One thing that is tried. */
export interface AdapterCase {
  /** `pause/stops-stores`. */
  readonly name: string
  /** What the adapter promises, in a sentence. */
  readonly promise: string
  /**
   * Tries it on a guest and a host of its own, and ends those. May be called again; several at a
   * time share the machine, and what is told of speed is wrong then.
   *
   * @returns why there was nothing to try with this adapter; undefined when it keeps the promise
   * @throws {AssertionError} of `node:assert`, with what came instead
   */
  readonly play: () => Promise<string | undefined>
}

const trials = [
  ...guestTrials,
  ...trackerTrials,
  ...marksTrials,
  ...stateTrials,
  ...throttleTrials,
  ...hostTrials,
  ...moveTrials,
]

/**
 * All cases of the suite, in the order in which they are best read. With any test runner:
 * `for (const { name, play } of adapterCases(mine)) test(name, play)`.
 */
export function adapterCases(adapter: AdapterUnderTest): readonly AdapterCase[] {
  return trials.map(({ name, promise, play }) => ({
    name,
    promise,
    async play() {
      const cleanups: Cleanup[] = []
      try {
        return (await play(new Stand(adapter, cleanups))) ?? undefined
      } finally {
        for (const end of cleanups.toReversed()) await end()
      }
    },
  }))
}
