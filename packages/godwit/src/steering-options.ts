/**
 * How much bandwidth a migration gets and how much time its guest loses, as a caller says it.
 *
 * @module
 */
/** All rates are in bytes per second, more than 0; `Infinity` is no cap. */
export interface SteeringOptions {
  /** Cap on bandwidth, also of what a policy grants. */
  readonly maxBandwidth?: number
  /** Cap while the guest is paused, in place of the others. */
  readonly pauseBandwidth?: number
  /** Cap on what follows in post-copy, in place of the others; not on what the guest waits for. */
  readonly postCopyBandwidth?: number
  /**
   * Decides a cap for each round, as `--bandwidth` takes it: `fixed`, `clark`, `bda,link=RATE` or
   * `bda-smooth,link=RATE`. Default: {@link maxBandwidth} for all.
   */
  readonly bandwidth?: string
  /**
   * Takes time from a guest that dirties too much, as `--throttle` takes it: `auto-converge` or
   * `dirty-limit,rate=RATE`. In the modes with rounds, for a guest that has `throttle`. By default
   * none is taken.
   */
  readonly throttle?: string
}
