/**
 * What a source wants to know of a staged batch, in one call: which pages are zero, and every
 * page's fingerprint.
 *
 * @module
 */
import { hash, hash2 } from './pages.ts'
import { isZero } from './zero.ts'

/**
 * Over the pages of `[at, at + byteCount)`, the last of which may be short: one byte each to
 * `flags` (1: zero), 8 bytes each to `outA`, and with `keyB` not 0, to `outB`. Zero pages of full
 * length are hashed once per call. Returns how many pages are zero.
 */
export function pack(
  at: usize,
  byteCount: usize,
  pageBytes: usize,
  flags: usize,
  keyA: usize,
  outA: usize,
  keyB: usize,
  outB: usize,
): i32 {
  const end = at + byteCount
  let zeroPages = 0
  // Where the fingerprint of a zero page of full length is already; 0 is not in any page's place.
  let knownA: usize = 0
  let knownB: usize = 0
  for (; at < end; at += pageBytes, flags++, outA += 8, outB += 8) {
    const length = min(pageBytes, end - at)
    const zero = isZero(at, length)
    store<u8>(flags, zero)
    zeroPages += zero
    if (zero && knownA && length == pageBytes) {
      store<u64>(outA, load<u64>(knownA))
      if (keyB) store<u64>(outB, load<u64>(knownB))
      continue
    }
    if (keyB) hash2(at, length, keyA, outA, keyB, outB)
    else hash(at, length, keyA, outA)
    if (zero && length == pageBytes) {
      knownA = outA
      knownB = outB
    }
  }
  return zeroPages
}
