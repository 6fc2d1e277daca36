/**
 * What the length classes of XXH3 have in common.
 * Source: xxHash, `doc/xxhash_spec.md`.
 *
 * @module
 */
/* oxlint-disable no-loss-of-precision -- integers have 64 bits in this language */

export const PRIME32_1: u64 = 0x9e3779b1
export const PRIME32_2: u64 = 0x85ebca77
export const PRIME32_3: u64 = 0xc2b2ae3d
export const PRIME64_1: u64 = 0x9e3779b185ebca87
export const PRIME64_2: u64 = 0xc2b2ae3d27d4eb4f
export const PRIME64_3: u64 = 0x165667b19e3779f9
export const PRIME64_4: u64 = 0x85ebca77c2b2ae63
export const PRIME64_5: u64 = 0x27d4eb2f165667c5
export const PRIME_MX1: u64 = 0x165667919e3779f9
export const PRIME_MX2: u64 = 0x9fb21c651e98df25

/** Both halves of the 128-bit product, folded with XOR. */
export function multiplyFold(a: u64, b: u64): u64 {
  const aLower = a & 0xffffffff
  const aUpper = a >> 32
  const bLower = b & 0xffffffff
  const bUpper = b >> 32
  const crossed = aUpper * bLower
  const middle = ((aLower * bLower) >> 32) + (crossed & 0xffffffff) + aLower * bUpper
  return (a * b) ^ ((crossed >> 32) + (middle >> 32) + aUpper * bUpper)
}

export function avalanche(x: u64): u64 {
  x ^= x >> 37
  x *= PRIME_MX1
  return x ^ (x >> 32)
}

/** The final mix of XXH64. */
export function avalanche64(x: u64): u64 {
  x ^= x >> 33
  x *= PRIME64_2
  x ^= x >> 29
  x *= PRIME64_3
  return x ^ (x >> 32)
}
