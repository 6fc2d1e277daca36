/**
 * What is free of a link that others use, too.
 *
 * @module
 */

/** What a link carries and what others make of it, bytes per second. */
export interface SharedLink {
  /** T of the paper. */
  readonly link: number
  /** U, where it is given and not measured. */
  readonly used: number | undefined
}

/** However busy the link: a migration that gets nothing never ends. */
const leastShare = 0.05

/** F = T - U (Fig. 1 of the paper, line 4), and never less than a twentieth of T. */
export function freeBandwidth({ link, used }: SharedLink, usedByOthers: number): number {
  return Math.max(link * leastShare, link - (used ?? usedByOthers))
}

/** However much the guest stores: a twentieth of what is free. */
export function leastGrant(free: number): number {
  return free * leastShare
}

/** What a round knows of dirty rates: the newest, the one before, and the mean of all before. */
export interface DirtyHistory {
  /** D of round k: seen while round k-1 was sent, the newest there is when round k begins. */
  readonly newest: number
  /** D of round k-1; for k = 2 the newest. */
  readonly previous: number
  /** Of D of rounds 2 to k-1; for k = 2 the newest. */
  readonly mean: number
}

/** @param dirtyRates - from D of round 2 on; at least one */
export function dirtyHistory(dirtyRates: readonly number[]): DirtyHistory {
  const newest = dirtyRates.at(-1)!
  const earlier = dirtyRates.slice(0, -1)
  if (earlier.length === 0) return { newest, previous: newest, mean: newest }
  const mean = earlier.reduce((sum, rate) => sum + rate, 0) / earlier.length
  return { newest, previous: earlier.at(-1)!, mean }
}
