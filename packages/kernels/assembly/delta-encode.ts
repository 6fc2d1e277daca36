/**
 * What differs between two versions of a page, in the manner of QEMU's XBZRLE: pairs of runs, each
 * `unchanged` ULEB128, `changed` ULEB128, then `changed` bytes of the new version. Unchanged bytes
 * at the end are left out; no pair at all means that nothing changed.
 * Source: QEMU, `docs/xbzrle.txt`.
 *
 * A changed run goes on over fewer than four unchanged bytes, which would cost as much as a pair,
 * unless they are the page's last.
 *
 * @module
 */
import { copyRun, lengthBytes } from './run.ts'

const GAP: usize = 4
const CHUNK: usize = 16
const LINE: usize = 64

function difference(a: usize, b: usize, i: usize): v128 {
  return v128.xor(v128.load(a + i), v128.load(b + i))
}

/** One bit per byte of 16: set where both are the same. */
function equalMask(a: usize, b: usize, i: usize): u32 {
  return <u32>i8x16.bitmask(i8x16.eq(v128.load(a + i), v128.load(b + i)))
}

/** The first position from `i` on that differs; `byteCount` if none does. */
function skipUnchanged(a: usize, b: usize, i: usize, byteCount: usize): usize {
  for (; i + LINE <= byteCount; i += LINE) {
    const first = v128.or(difference(a, b, i), difference(a, b, i + CHUNK))
    const second = v128.or(difference(a, b, i + 2 * CHUNK), difference(a, b, i + 3 * CHUNK))
    if (v128.any_true(v128.or(first, second))) break
  }
  for (; i + CHUNK <= byteCount; i += CHUNK) {
    const mask = equalMask(a, b, i) ^ 0xffff
    if (mask) return i + ctz<u32>(mask)
  }
  while (i < byteCount && load<u8>(a + i) == load<u8>(b + i)) i++
  return i
}

/** Where the changed run that `i` is in ends. */
function skipChanged(a: usize, b: usize, i: usize, byteCount: usize): usize {
  while (i + CHUNK <= byteCount) {
    const equal = equalMask(a, b, i)
    const four = equal & (equal >> 1) & (equal >> 2) & (equal >> 3)
    if (four) return i + ctz<u32>(four)
    // Four may begin in the last three of these, if the last is one of them.
    i += equal & 0x8000 ? CHUNK - 3 : CHUNK
  }
  while (i < byteCount) {
    let unchangedEnd = i
    while (unchangedEnd < byteCount && load<u8>(a + unchangedEnd) == load<u8>(b + unchangedEnd)) {
      unchangedEnd++
    }
    if (unchangedEnd - i >= GAP || (unchangedEnd == byteCount && unchangedEnd > i)) return i
    i = unchangedEnd + 1
  }
  return byteCount
}

function writeLength(at: usize, length: usize): usize {
  while (length >= 0x80) {
    store<u8>(at++, <u8>(length | 0x80))
    length >>= 7
  }
  store<u8>(at, <u8>length)
  return at + 1
}

/**
 * Writes how the page at `next` differs from the one at `base`, both of `byteCount` bytes (at most
 * 65536), to `[out, out + outBytesMax)`. Returns the bytes written, 0 for equal pages, or -1 when
 * they would be more than `outBytesMax`; nothing beyond is written.
 */
export function encodeDelta(
  base: usize,
  next: usize,
  byteCount: usize,
  out: usize,
  outBytesMax: usize,
): i32 {
  const outEnd = out + outBytesMax
  let at = out
  let i: usize = 0
  while (true) {
    const start = skipUnchanged(base, next, i, byteCount)
    if (start == byteCount) return <i32>(at - out)
    const end = skipChanged(base, next, start + 1, byteCount)
    const unchanged = start - i
    const changed = end - start
    if (lengthBytes(unchanged) + lengthBytes(changed) + changed > outEnd - at) return -1
    at = writeLength(at, unchanged)
    at = writeLength(at, changed)
    copyRun(at, next + start, changed)
    at += changed
    i = end
  }
}
