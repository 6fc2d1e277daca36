/**
 * Fingerprints of single pages and of runs of consecutive pages, the last of which may be short.
 *
 * @module
 */
import { hashLong, hashLong2 } from './xxh3-long.ts'
import { hashShort } from './xxh3-short.ts'
import { isZero } from './zero.ts'

const SHORT_MAX: usize = 240
/** Of the start of a page: after so much in order, processors read on by themselves. */
const TOUCHED_BYTES: usize = 384
const LINE: usize = 64

function fingerprint(at: usize, byteCount: usize, key: usize): u64 {
  if (byteCount > SHORT_MAX) return hashLong(at, byteCount, key)
  return hashShort(at, byteCount, key)
}

/** XXH3 of `[at, at + byteCount)`, 8 bytes to `out`. */
export function hash(at: usize, byteCount: usize, key: usize, out: usize): void {
  store<u64>(out, fingerprint(at, byteCount, key))
}

/** XXH3 with two keys in one pass, 8 bytes each to `outA` and `outB`. */
export function hash2(
  at: usize,
  byteCount: usize,
  keyA: usize,
  outA: usize,
  keyB: usize,
  outB: usize,
): void {
  if (byteCount > SHORT_MAX) {
    hashLong2(at, byteCount, keyA, outA, keyB, outB)
    return
  }
  store<u64>(outA, hashShort(at, byteCount, keyA))
  store<u64>(outB, hashShort(at, byteCount, keyB))
}

/**
 * XXH3 of every page of `[at, at + byteCount)`, 8 bytes each from `out` on. Made for pages that no
 * cache holds: processors do not read ahead from one page to the next, so the start of the next one
 * is read before this one is hashed. Zero pages of full length are hashed once per call. What it
 * returns is of no use, but that such reads cannot be left out.
 */
export function hashPages(
  at: usize,
  byteCount: usize,
  pageBytes: usize,
  key: usize,
  out: usize,
): bool {
  const end = at + byteCount
  let touched = i64x2.splat(0)
  // Where the fingerprint of a zero page of full length is already; 0 is not in any page's place.
  let known: usize = 0
  for (; at < end; at += pageBytes, out += 8) {
    const next = at + pageBytes
    if (next + TOUCHED_BYTES <= end) touched = v128.or(touched, touch(next))
    const length = min(pageBytes, end - at)
    const isKnownZero = length == pageBytes && isZero(at, length)
    if (isKnownZero && known) {
      store<u64>(out, load<u64>(known))
      continue
    }
    hash(at, length, key, out)
    if (isKnownZero) known = out
  }
  return v128.any_true(touched)
}

/** Reads the first lines. */
function touch(at: usize): v128 {
  let bits = v128.load(at)
  for (let line: usize = LINE; line < TOUCHED_BYTES; line += LINE) {
    bits = v128.or(bits, v128.load(at + line))
  }
  return bits
}

/** The same with two keys. */
export function hashPages2(
  at: usize,
  byteCount: usize,
  pageBytes: usize,
  keyA: usize,
  outA: usize,
  keyB: usize,
  outB: usize,
): void {
  const end = at + byteCount
  while (at < end) {
    hash2(at, min(pageBytes, end - at), keyA, outA, keyB, outB)
    at += pageBytes
    outA += 8
    outB += 8
  }
}
