/**
 * Numbers and words as ASCII text in byte arrays, without strings.
 *
 * @module
 */

export const SPACE = 0x20
export const LINE_FEED = 0x0a
export const CARRIAGE_RETURN = 0x0d
const zero = 0x30
const minus = 0x2d

/** The bytes of a text; for constants. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0))
}

export function hasText(bytes: Uint8Array, from: number, count: number, text: Uint8Array): boolean {
  if (count !== text.length) return false
  for (let i = 0; i < count; i++) if (bytes[from + i] !== text[i]) return false
  return true
}

/**
 * A whole number of 1 to 20 digits, perhaps with a minus before it; NaN where it is something else.
 * Beyond 2^53 it is the nearest double.
 */
export function parseInteger(bytes: Uint8Array, from: number, count: number): number {
  const isNegative = count > 1 && bytes[from] === minus
  const digitsFrom = isNegative ? from + 1 : from
  const end = from + count
  if (end - digitsFrom < 1 || end - digitsFrom > 20) return Number.NaN
  let value = 0
  for (let i = digitsFrom; i < end; i++) {
    const digit = bytes[i]! - zero
    if (!(digit >= 0 && digit <= 9)) return Number.NaN
    value = value * 10 + digit
  }
  return isNegative ? -value : value
}

const u64Limit = 1n << 64n

/** Digits only, below 2^64; undefined where it is something else. */
export function parseU64(bytes: Uint8Array, from: number, count: number): bigint | undefined {
  const end = from + count
  let digitsFrom = from
  while (digitsFrom < end - 1 && bytes[digitsFrom] === zero) digitsFrom++
  if (count < 1 || end - digitsFrom > 20) return undefined
  let value = 0n
  for (let i = digitsFrom; i < end; i++) {
    const digit = bytes[i]! - zero
    if (!(digit >= 0 && digit <= 9)) return undefined
    value = value * 10n + BigInt(digit)
  }
  return value < u64Limit ? value : undefined
}

/** Bytes that {@link putInteger} writes of a whole number from 0 to 2^53. */
export function digitsOf(value: number): number {
  let count = 1
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) count++
  return count
}

/** Writes a whole number from 0 to 2^53. @returns the offset behind it */
export function putInteger(into: Uint8Array, at: number, value: number): number {
  const end = at + digitsOf(value)
  let rest = value
  for (let i = end - 1; i >= at; i--) {
    const shorter = Math.floor(rest / 10)
    into[i] = zero + (rest - shorter * 10)
    rest = shorter
  }
  return end
}
