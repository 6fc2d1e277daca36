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
/** What a guest does comes in bursts: over less time than this, a rate is a guess. */
const sureMs = 50
/** A guest that was just quiet may be as it was before: of the way up only half is gone. */
const giveBack = 0.5
/** A hundredth of its time is left to every guest. */
const leastRunning = 0.01

/**
 * The guest runs for a share r of its time, and was seen to dirty d bytes per second. If pages were
 * never dirtied twice within a round, d would be in proportion to r, and r' = r q' / d would bring
 * it to q' = 0.9 q at once. They are, so that d falls more slowly than r: each round brings it
 * closer, and from above. A round that took t < 50 ms counts for less: r' = r (q' / d)^(t / 50 ms).
 * Below 0.8 q time is given back, by half of that exponent.
 *
 * @param rate - the quota q, bytes per second
 */
export function dirtyLimit(rate: number, setting: string): ThrottlePolicy {
  return {
    name: 'dirty-limit',
    setting,
    next(share, { dirtyRate, ms }) {
      if (dirtyRate <= rate && (share === 0 || dirtyRate >= rate * slack)) return share
      // Where nothing was dirtied at all there is no ratio: all of its time.
      const factor = dirtyRate === 0 ? 1 / (1 - share) : (rate * aim) / dirtyRate
      const sureness = Math.min(1, ms / sureMs) * (factor > 1 ? giveBack : 1)
      const running = (1 - share) * factor ** sureness
      return 1 - Math.min(1, Math.max(leastRunning, running))
    },
  }
}
