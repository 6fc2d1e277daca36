/**
 * What a pause is expected to get of the link, from what rounds got: a pause may have a cap of its
 * own, above or below theirs.
 *
 * @module
 */

/** All in bytes per second, with `Infinity` for no cap. */
export interface SeenBandwidth {
  /** What the last round of useful size moved. */
  readonly measured: number
  /** The cap of that round. */
  readonly roundCap: number
  /** The most that a round of useful size moved. */
  readonly most: number
  /** The cap of the pause. */
  readonly pauseCap: number
}

/** A round that moved so much of its cap would have moved more without it. */
const cappedShare = 0.9

/**
 * What the round moved, no more than the pause's cap. Where the round was held up by its own cap it
 * says nothing of the link: then what the link took at most.
 */
export function expectedPauseBandwidth(seen: SeenBandwidth): number {
  const { measured, roundCap, most, pauseCap } = seen
  const isCapped = measured >= cappedShare * roundCap
  return Math.min(pauseCap, isCapped ? most : measured)
}
