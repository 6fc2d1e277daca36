/**
 * The other half of `delta-encode.ts`, for bytes that a peer sent: every bound is checked, every
 * step advances, nothing traps.
 *
 * @module
 */
import { copyRun, lengthBytes } from './run.ts'

/** Refusals; `src/delta.ts` has the same numbers. */
const TRUNCATED: i32 = -1
const BAD_LENGTH: i32 = -2
const EMPTY_RUN: i32 = -3
const PAGE_EXCEEDED: i32 = -4

/** A ULEB128 of 21 bits at most, or a refusal; it has as many bytes as `lengthBytes` says. */
function readLength(at: usize, end: usize): i32 {
  let length: i32 = 0
  for (let shift = 0; shift < 21; shift += 7) {
    if (at == end) return TRUNCATED
    const byte = <i32>load<u8>(at++)
    length |= (byte & 0x7f) << shift
    if (byte < 0x80) return byte == 0 && shift > 0 ? BAD_LENGTH : length
  }
  return BAD_LENGTH
}

/**
 * Applies the delta `[delta, delta + deltaBytes)` to the page `[page, page + pageBytes)`, in place.
 * Returns the number of bytes stored, or a refusal (negative); the page is then partly changed.
 */
export function decodeDelta(page: usize, pageBytes: usize, delta: usize, deltaBytes: usize): i32 {
  const end = delta + deltaBytes
  let at = delta
  let i: usize = 0
  let stored: usize = 0
  while (at < end) {
    const unchanged = readLength(at, end)
    if (unchanged < 0) return unchanged
    at += lengthBytes(unchanged)
    const changed = readLength(at, end)
    if (changed < 0) return changed
    at += lengthBytes(changed)
    // Two changed runs without a byte between are one.
    if (changed == 0 || (unchanged == 0 && i > 0)) return EMPTY_RUN
    i += unchanged
    if (i + changed > pageBytes) return PAGE_EXCEEDED
    if (<usize>changed > end - at) return TRUNCATED
    copyRun(page + i, at, changed)
    at += changed
    i += changed
    stored += changed
  }
  return <i32>stored
}
