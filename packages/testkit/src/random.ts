/**
 * Random numbers that are the same in every run.
 *
 * @module
 */

/** Mulberry32: returns whole numbers `0 .. limit - 1`. */
export function seededRandom(seed: number): (limit: number) => number {
  let state = seed >>> 0
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
}

/** `byteCount` random bytes, owned by the caller. */
export function randomBytes(byteCount: number, seed: number): Uint8Array {
  const next = seededRandom(seed)
  const bytes = new Uint8Array(byteCount)
  for (let i = 0; i < byteCount; i++) bytes[i] = next(256)
  return bytes
}
