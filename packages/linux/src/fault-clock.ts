/**
 * When threads began to wait, by a clock that all threads of the process share.
 *
 * @module
 */

/** What `performance.now()` of this thread is short of the process' clock. */
const aheadMs: number = processMs() - performance.now()
const unitsPerMs = 1e4

/** Of the process: `performance.now()` begins with each thread. */
function processMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e3 + nanoseconds / 1e6
}

/** Now, in 32 bits, and never 0. They are all used up after 7 minutes, and begin again. */
export function stamp(): number {
  return Math.floor((performance.now() + aheadMs) * unitsPerMs) | 0 || 1
}

/** Milliseconds since a {@link stamp} of any thread. */
export function msSince(since: number): number {
  // Another thread's clock may be read a little differently.
  const units = (stamp() - since) >>> 0
  return units > 0xffff_0000 ? 0 : units / unitsPerMs
}
