/**
 * A quota for what a guest dirties per second, as QEMU's `dirty-limit` has one per virtual
 * processor. What counts is what is *observed*, not how busy the guest is: a writer that sleeps
 * most of the time is slowed down like one that does not.
 *
 * @module
 */
import type { ThrottlePolicy } from './throttle.ts'

/** What is aimed at, so that the rate ends below the quota and not at it. */
const aim = 0.9
/** Below this share of the quota the guest is given time back. */
const slack = 0.8
/** A hundredth of its time is left to every guest. */
const leastRunning = 0.01

/**
 * The guest runs for a share r of its time, and was seen to dirty d bytes per second. If pages were
 * never dirtied twice within a round, d would be in proportion to r, and r' = r q' / d would bring
 * it to q' = 0.9 q at once. They are, so that d falls more slowly than r: each round brings it
 * closer, and from above.
 *
 * @param rate - the quota q, bytes per second
 */
export function dirtyLimit(rate: number, setting: string): ThrottlePolicy {
  return {
    name: 'dirty-limit',
    setting,
    next(share, { dirtyRate }) {
      if (dirtyRate <= rate && (share === 0 || dirtyRate >= rate * slack)) return share
      const running = dirtyRate === 0 ? 1 : ((1 - share) * rate * aim) / dirtyRate
      return 1 - Math.min(1, Math.max(leastRunning, running))
    },
  }
}
