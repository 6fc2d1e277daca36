/**
 * How much bandwidth a migration gets and how much time its guest loses, as a caller says it.
 *
 * @module
 */
import type { MigrationMode } from '@godwit/core'
import { checkThrottle, parseBandwidth, parseThrottle } from '@godwit/policy'
import type { SourceOptions } from '@godwit/source'
import { watchLink } from './link-use.ts'

/** All rates are in bytes per second. */
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

/** @throws {GodwitError} `USAGE` */
export function checkSteering(mode: MigrationMode, options: SteeringOptions): void {
  if (options.bandwidth !== undefined) parseBandwidth(options.bandwidth)
  if (options.throttle !== undefined) parseThrottle(options.throttle)
  checkThrottle(mode, options.throttle)
}

/**
 * The policies. Where one is to know what others make of the link, looks at that for 0.2 s.
 *
 * @throws {GodwitError} `USAGE`
 */
export async function steeringOf(
  mode: MigrationMode,
  options: SteeringOptions & { readonly to: string },
): Promise<Pick<SourceOptions, 'bandwidth' | 'throttle' | 'linkUse'>> {
  checkSteering(mode, options)
  const bandwidth = options.bandwidth === undefined ? undefined : parseBandwidth(options.bandwidth)
  const linkUse = bandwidth?.measuresLink === true ? await watchLink(options.to) : undefined
  return {
    ...(bandwidth === undefined ? {} : { bandwidth }),
    ...(linkUse === undefined ? {} : { linkUse }),
    ...(options.throttle === undefined ? {} : { throttle: parseThrottle(options.throttle) }),
  }
}
