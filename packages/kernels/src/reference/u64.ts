/**
 * Products of 64-bit numbers as pairs of 32-bit words, without `BigInt`, which allocates.
 *
 * @module
 */

/** Bits 32 to 63 of the product of two unsigned 32-bit words. */
export function multiplyUpper(a: number, b: number): number {
  const aLower = a & 0xffff
  const aUpper = a >>> 16
  const bLower = b & 0xffff
  const bUpper = b >>> 16
  const lower = Math.imul(aLower, bLower) >>> 16
  const first = (Math.imul(aUpper, bLower) >>> 0) + lower
  const second = (Math.imul(aLower, bUpper) >>> 0) + (first & 0xffff)
  return (Math.imul(aUpper, bUpper) + (first >>> 16) + (second >>> 16)) >>> 0
}

/** Adds `[upper, lower]` to the number in `words[at]` (lower) and `words[at + 1]` (upper). */
export function addTo(words: Uint32Array, at: number, lower: number, upper: number): void {
  const sum = words[at]! + lower
  words[at] = sum >>> 0
  words[at + 1] = (words[at + 1]! + upper + (sum > 0xffffffff ? 1 : 0)) >>> 0
}

/** Multiplies the number at `words[at]` by `[upper, lower]`, modulo 2^64. */
export function multiplyBy(words: Uint32Array, at: number, lower: number, upper: number): void {
  const a = words[at]!
  const aUpper = words[at + 1]!
  words[at] = Math.imul(a, lower) >>> 0
  words[at + 1] = (multiplyUpper(a, lower) + Math.imul(a, upper) + Math.imul(aUpper, lower)) >>> 0
}

/** Adds both halves of the 128-bit product of two numbers, folded with XOR, to `words[at]`. */
export function addFolded(
  words: Uint32Array,
  at: number,
  aLower: number,
  aUpper: number,
  bLower: number,
  bUpper: number,
): void {
  const word1 =
    multiplyUpper(aLower, bLower) +
    (Math.imul(aUpper, bLower) >>> 0) +
    (Math.imul(aLower, bUpper) >>> 0)
  const word2 =
    (Math.imul(aUpper, bUpper) >>> 0) +
    multiplyUpper(aUpper, bLower) +
    multiplyUpper(aLower, bUpper) +
    Math.floor(word1 / 0x100000000)
  const word3 = multiplyUpper(aUpper, bUpper) + Math.floor(word2 / 0x100000000)
  addTo(words, at, (Math.imul(aLower, bLower) ^ word2) >>> 0, (word1 ^ word3) >>> 0)
}
