/**
 * Is memory all zero?
 *
 * @module
 */

const STEP: usize = 128

/** 1 when `[at, at + byteCount)` holds zeros only, else 0; any alignment and length. */
export function isZero(at: usize, byteCount: usize): i32 {
  const end = at + byteCount
  const stepsEnd = at + (byteCount & ~(STEP - 1))
  while (at < stepsEnd) {
    const a = v128.or(v128.load(at), v128.load(at, 16))
    const b = v128.or(v128.load(at, 32), v128.load(at, 48))
    const c = v128.or(v128.load(at, 64), v128.load(at, 80))
    const d = v128.or(v128.load(at, 96), v128.load(at, 112))
    if (v128.any_true(v128.or(v128.or(a, b), v128.or(c, d)))) return 0
    at += STEP
  }
  while (at < end) {
    if (load<u8>(at)) return 0
    at++
  }
  return 1
}

/** How many of the `pageCount` pages from `at` on are zero before the first that is not. */
export function zeroRun(at: usize, pageBytes: usize, pageCount: i32): i32 {
  let page = 0
  while (page < pageCount && isZero(at, pageBytes)) {
    at += pageBytes
    page++
  }
  return page
}
