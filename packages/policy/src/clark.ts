/**
 * Dynamic rate-limiting after Clark, Fraser, Hand, Hansen, Jul, Limpach, Pratt and Warfield (Live
 * migration of virtual machines, NSDI 2005, section 5.3), which is Xen's incremental mode: round 1
 * gets the least there is, every later one what the guest dirtied per second during the round
 * before it and a constant more, and the last one the most.
 *
 * @module
 */
import type { BandwidthPolicy } from './bandwidth.ts'

/** All in bytes per second. */
export interface ClarkRates {
  readonly min: number
  readonly max: number
  /** Beyond the dirty rate. */
  readonly add: number
}

const mbit = 1e6 / 8
/** The paper's: 50 Mbit/s more, from 100 to 500 Mbit/s (its section 6.2). */
export const CLARK_DEFAULTS: ClarkRates = { min: 100 * mbit, max: 500 * mbit, add: 50 * mbit }

/**
 * The paper ends pre-copy as well, when the rate would be above `max` or less than 256 KiB are
 * dirty; here stop rules do that.
 */
export function clarkBandwidth({ min, max, add }: ClarkRates, setting: string): BandwidthPolicy {
  return {
    name: 'clark',
    setting,
    measuresLink: false,
    grant({ isLast, dirtyRates }) {
      if (isLast) return max
      const dirtyRate = dirtyRates.at(-1)
      return dirtyRate === undefined ? min : Math.min(max, Math.max(min, dirtyRate + add))
    },
  }
}
