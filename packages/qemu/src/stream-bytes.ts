/**
 * Numbers and texts in QEMU's migration stream.
 *
 * @module
 */
import { STREAM_PAGE_BYTES } from './stream-format.ts'

const names = new TextDecoder()

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

export function u32(bytes: Uint8Array, at: number): number {
  return (u16(bytes, at) * 0x1_0000 + u16(bytes, at + 2)) >>> 0
}

/** Of 64 bits; inexact above 2^53. */
export function u64(bytes: Uint8Array, at: number): number {
  return u32(bytes, at) * 0x1_0000_0000 + u32(bytes, at + 4)
}

/** Of 64 bits, without the 12 lowest, which are flags. */
export function address(bytes: Uint8Array, at: number): number {
  const low = (u32(bytes, at + 4) & ~(STREAM_PAGE_BYTES - 1)) >>> 0
  return u32(bytes, at) * 0x1_0000_0000 + low
}

/** `length` bytes as a text; what is not UTF-8 is replaced. */
export function textAt(bytes: Uint8Array, at: number, length: number): string {
  return names.decode(bytes.subarray(at, at + length))
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`
}
