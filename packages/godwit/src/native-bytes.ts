/**
 * What Node does to bytes better than the portable stand-ins. By itself, for threads that load next
 * to nothing.
 *
 * @module
 */
import { hash } from 'node:crypto'

/** SHA-256 of `bytes` in 32 bytes of new memory. */
export function nativeSha256(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer')
}

/** Of the C library, which copies large pieces without reading what they replace. */
export function nativeCopy(
  to: Uint8Array,
  at: number,
  from: Uint8Array,
  start: number,
  end: number,
): void {
  Buffer.prototype.copy.call(from, to, at, start, end)
}
