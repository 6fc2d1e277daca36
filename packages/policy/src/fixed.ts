/**
 * The same cap for every round, or none: plain pre-copy (PCA of Fang, Liao and Ge, Live virtual
 * machine migration with bandwidth dynamic assignment).
 *
 * @module
 */
import type { BandwidthPolicy } from './bandwidth.ts'

/** @param rate - bytes per second; `Infinity` for no cap */
export function fixedBandwidth(rate: number, setting: string): BandwidthPolicy {
  return { name: 'fixed', setting, measuresLink: false, grant: () => rate }
}
