/**
 * What Node does to bytes better than the portable stand-ins. By itself, for threads that load next
 * to nothing.
 *
 * @module
 */
import { hash } from 'node:crypto'
import type { WriteSha } from '@godwit/kernels'
import { SHA_BYTES } from '@godwit/kernels'

/**
 * SHA-256 of `bytes` in 32 bytes of new memory. By way of a string of 32 characters, which takes
 * less time to make than a `Buffer`.
 */
export function nativeSha256(bytes: Uint8Array): Uint8Array {
  const text = hash('sha256', bytes, 'binary')
  const made = new Uint8Array(32)
  for (let i = 0; i < 32; i++) made[i] = text.charCodeAt(i)
  return made
}

/** The same for a page, without memory of its own. */
export const nativeWriteSha: WriteSha = (page, into, at) => {
  const text = hash('sha256', page, 'binary')
  for (let i = 0; i < SHA_BYTES; i++) into[at + i] = text.charCodeAt(i)
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
