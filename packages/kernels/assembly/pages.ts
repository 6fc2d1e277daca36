/**
 * Fingerprints of single pages and of runs of consecutive pages, the last of which may be short.
 *
 * @module
 */
import { hashLong, hashLong2 } from './xxh3-long.ts'
import { hashShort } from './xxh3-short.ts'

const SHORT_MAX: usize = 240

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

/** XXH3 of every page of `[at, at + byteCount)`, 8 bytes each from `out` on. */
export function hashPages(
  at: usize,
  byteCount: usize,
  pageBytes: usize,
  key: usize,
  out: usize,
): void {
  const end = at + byteCount
  for (; at < end; at += pageBytes, out += 8) hash(at, min(pageBytes, end - at), key, out)
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
