/**
 * Addresses in the kernel's structures, by halves: that allocates no bigint.
 *
 * @module
 */

const wordSpan = 2 ** 32

/** Both supported machines are little-endian. */
export function addressAt(words: Uint32Array, index: number): number {
  return words[index]! + words[index + 1]! * wordSpan
}

export function putAddress(words: Uint32Array, index: number, address: number): void {
  words[index] = address % wordSpan
  words[index + 1] = Math.floor(address / wordSpan)
}

/** A signed number where addresses are not expected. */
export function signedAt(words: Uint32Array, index: number): number {
  return words[index]! + (words[index + 1]! | 0) * wordSpan
}
