/**
 * How fast a call is that is made again and again.
 *
 * @module
 */

/**
 * Seconds that one call takes, on average over `sampleMs`; as much time goes by before, so that
 * code is compiled and caches are filled.
 */
export function secondsPerCall(sampleMs: number, call: () => void): number {
  callFor(sampleMs, call)
  return callFor(sampleMs, call)
}

function callFor(sampleMs: number, call: () => void): number {
  const startMs = performance.now()
  let calls = 0
  let tookMs = 0
  do {
    call()
    calls++
    tookMs = performance.now() - startMs
  } while (tookMs < sampleMs)
  return tookMs / calls / 1e3
}
