/**
 * Auto-converge: a guest that dirties more than half of what was sent loses more of its time, round
 * by round. After Jin, Gao, Wu, Shi, Wu and Zhou (Optimizing the live migration of virtual machine
 * by CPU scheduling, 2011), with the numbers of QEMU (`cpu-throttle-initial` 20,
 * `cpu-throttle-increment` 10, `max-cpu-throttle` 99, `throttle-trigger-threshold` 50).
 *
 * QEMU looks at periods of a second and more and asks for two such periods; here it is every round.
 *
 * @module
 */
import type { ThrottlePolicy } from './throttle.ts'

/** Shares of the guest's time, 0 to 1. */
export interface AutoConverge {
  readonly start: number
  readonly step: number
  readonly max: number
}

export const AUTO_CONVERGE_DEFAULTS: AutoConverge = { start: 0.2, step: 0.1, max: 0.99 }

/** So much of what was sent may be dirty again. */
const dirtyShareMax = 0.5

/** The share never goes down again while the migration lasts. */
export function autoConverge({ start, step, max }: AutoConverge, setting: string): ThrottlePolicy {
  return {
    name: 'auto-converge',
    setting,
    next(share, { dirtyBytes, sentBytes }) {
      if (dirtyBytes <= sentBytes * dirtyShareMax) return share
      // In whole percent, as it is set: sums of tenths are not tenths.
      const next = share === 0 ? start : Math.round((share + step) * 100) / 100
      return Math.min(max, next)
    },
  }
}
