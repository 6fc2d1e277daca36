/**
 * Deltas for targets to begin with.
 *
 * @module
 */
import type { Random } from './mutator.ts'
import { pick, randomBytes, someLength } from './mutator.ts'

/** ULEB128; now and then longer than it need be. */
function uleb(value: number, random: Random): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  bytes.push(rest)
  if (random(60) === 0) bytes.push(bytes.pop()! | 0x80, 0)
  return bytes
}

/** Pairs that mostly fit a page. */
export function someDelta(pageBytes: number, random: Random): Uint8Array {
  const bytes: number[] = []
  let at = 0
  for (let pairs = random(pick([3, 12, 60], random)); pairs > 0 && at < pageBytes; pairs--) {
    const unchanged = someLength(pageBytes - at, random)
    const left = pageBytes - at - unchanged
    const changed = 1 + someLength(Math.max(0, left - 1) + (random(9) === 0 ? 2 : 0), random)
    bytes.push(
      ...uleb(unchanged, random),
      ...uleb(changed, random),
      ...randomBytes(changed, random),
    )
    at += unchanged + changed
  }
  return Uint8Array.from(bytes)
}
