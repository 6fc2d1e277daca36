/**
 * Keys as base64, in byte arrays.
 *
 * @module
 */
import { ascii } from './ascii.ts'

const alphabet = ascii('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
const padding = 0x3d
const none = 0xff

const valueOf = new Uint8Array(256).fill(none)
for (const [value, char] of alphabet.entries()) valueOf[char] = value
valueOf[padding] = 0

/**
 * Decodes `bytes[from, from + count)` in its place. What is of no alphabet is skipped, and nothing
 * follows padding, as memcached has it.
 *
 * @returns how many bytes that is; 0 where it is not base64
 */
export function decodeBase64(bytes: Uint8Array, from: number, count: number): number {
  let at = from
  let digits = 0
  let padded = 0
  let block = 0
  let isOver = false
  for (let i = from; i < from + count; i++) {
    const value = valueOf[bytes[i]!]!
    if (value === none) continue
    digits++
    if (isOver) continue
    if (bytes[i] === padding) padded++
    block = (block << 6) | value
    if (digits % 4 !== 0) continue
    if (padded > 2) return 0
    bytes[at] = block >>> 16
    bytes[at + 1] = block >>> 8
    bytes[at + 2] = block
    at += 3 - padded
    block = 0
    isOver = padded > 0
  }
  return digits % 4 === 0 ? at - from : 0
}

/** Bytes that {@link encodeBase64} makes of `count`. */
export function base64Bytes(count: number): number {
  return Math.ceil(count / 3) * 4
}

/** Encodes `bytes[from, from + count)`. @returns how many bytes of `into` that is */
export function encodeBase64(
  bytes: Uint8Array,
  from: number,
  count: number,
  into: Uint8Array,
): number {
  let at = 0
  for (let i = 0; i < count; i += 3) {
    const left = count - i
    const second = left > 1 ? bytes[from + i + 1]! : 0
    const third = left > 2 ? bytes[from + i + 2]! : 0
    const block = (bytes[from + i]! << 16) | (second << 8) | third
    into[at] = alphabet[block >>> 18]!
    into[at + 1] = alphabet[(block >>> 12) & 63]!
    into[at + 2] = left > 1 ? alphabet[(block >>> 6) & 63]! : padding
    into[at + 3] = left > 2 ? alphabet[block & 63]! : padding
    at += 4
  }
  return at
}
