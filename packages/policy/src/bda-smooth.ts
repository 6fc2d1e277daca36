/**
 * Bandwidth dynamic assignment without the jumps of `bda.ts`: the more a guest dirties, the less
 * its migration gets, without a step, and never nothing.
 *
 * As there, F is what the link has free, D the newest dirty rate and M the mean of those before.
 * Two things differ:
 *
 * - B is the quadratic mean of the two, sqrt((D^2 + M^2) / 2). Eq. 4 of the paper is their
 *   contraharmonic mean, (D^2 + M^2) / (D + M), which *falls* while D rises from 0 to 0.41 M. The
 *   quadratic mean is the geometric mean of that and of (D + M) / 2: it leans toward the larger of
 *   the two, too, and rises with both.
 * - What is reserved is always corrected, by eq. 5 with F in the place of c B: F B / (B + F). So
 *   E = F - F B / (B + F) = F^2 / (F + B): F where nothing is dirtied, F / 2 where B = F, and less
 *   and less beyond. The floor of a twentieth of F is reached at B = 19 F.
 *
 * @module
 */
import type { BandwidthPolicy } from './bandwidth.ts'
import type { SharedLink } from './free-bandwidth.ts'
import { dirtyHistory, freeBandwidth, leastGrant } from './free-bandwidth.ts'

export function bdaSmoothBandwidth(shared: SharedLink, setting: string): BandwidthPolicy {
  return {
    name: 'bda-smooth',
    setting,
    measuresLink: shared.used === undefined,
    grant({ isLast, dirtyRates, usedByOthers }) {
      const free = freeBandwidth(shared, usedByOthers)
      if (isLast || dirtyRates.length === 0) return free
      const { newest, mean } = dirtyHistory(dirtyRates)
      const reserved = Math.hypot(newest, mean) / Math.SQRT2
      return Math.max(leastGrant(free), (free * free) / (free + reserved))
    },
  }
}
