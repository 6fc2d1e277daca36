/**
 * Bandwidth dynamic assignment as Fang, Liao and Ge have it (Live virtual machine migration with
 * bandwidth dynamic assignment, section 3, equations 4 and 5, Fig. 1), with a floor.
 *
 * Of what the link has free (F) the services get what they will need (B), as the dirty rate tells,
 * and the round gets the rest (E). Where the paper is ambiguous: round 1 is granted all of F; D of
 * round k is what was dirtied per second while round k-1 was sent; M is the mean of D of rounds 2
 * to k-1. For k = 2 there is no earlier round: M = D and c = 1.
 *
 * Two faults are the paper's own, and stay: by eq. 5, B of a round for which it is above F
 * collapses to F / (1 + c), so that E jumps upward when the dirty rate rises past F; and E is 0
 * where B = F. `bda-smooth.ts` has neither.
 *
 * @module
 */
import type { BandwidthPolicy } from './bandwidth.ts'
import type { SharedLink } from './free-bandwidth.ts'
import { dirtyHistory, freeBandwidth, leastGrant } from './free-bandwidth.ts'

export function bdaBandwidth(shared: SharedLink, setting: string): BandwidthPolicy {
  return {
    name: 'bda',
    setting,
    measuresLink: shared.used === undefined,
    grant({ isLast, dirtyRates, usedByOthers }) {
      const free = freeBandwidth(shared, usedByOthers)
      if (isLast || dirtyRates.length === 0) return free
      return Math.max(leastGrant(free), free - reserved(free, dirtyRates))
    },
  }
}

/** B: what is left to the services, 0 to `free`. */
function reserved(free: number, dirtyRates: readonly number[]): number {
  const { newest, previous, mean } = dirtyHistory(dirtyRates)
  const sum = newest + mean
  if (sum === 0 || previous === 0) return 0
  const b = (newest / sum) * newest + (mean / sum) * mean // eq. 4
  if (b <= free) return b
  const c = newest / previous
  return (free * b) / (b + c * b) // eq. 5
}
