/**
 * How a page differs from an older version of it: pairs of runs, `unchanged` and `changed` as
 * ULEB128, then `changed` bytes of the new version.
 * Source: QEMU, `docs/xbzrle.txt`.
 *
 * @module
 */
import { DeltaRefusal } from '../delta.ts'

/** Fewer unchanged bytes than these do not end a changed run, unless the page ends. */
const gapBytes = 4
const lengthBytesMax = 3

function lengthBytes(length: number): number {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : 3
}

function writeLength(bytes: Uint8Array, at: number, length: number): number {
  let rest = length
  let i = at
  for (; rest >= 0x80; rest >>= 7) bytes[i++] = rest | 0x80
  bytes[i++] = rest
  return i
}

/** Where the unchanged run that begins at `i` ends; `i` when it does not begin. */
function unchangedEnd(
  bytes: Uint8Array,
  base: number,
  next: number,
  i: number,
  byteCount: number,
): number {
  let end = i
  while (end < byteCount && bytes[base + end] === bytes[next + end]) end++
  return end
}

/** See `Kernels.encodeDelta`. */
export function encodeDelta(
  bytes: Uint8Array,
  base: number,
  next: number,
  byteCount: number,
  out: number,
  outBytesMax: number,
): number {
  let at = out
  let i = 0
  for (;;) {
    const start = unchangedEnd(bytes, base, next, i, byteCount)
    if (start === byteCount) return at - out
    let end = start + 1
    for (;;) {
      const gapEnd = unchangedEnd(bytes, base, next, end, byteCount)
      if (gapEnd - end >= gapBytes || gapEnd === byteCount) break
      end = gapEnd + 1
    }
    const changed = end - start
    const pairBytes = lengthBytes(start - i) + lengthBytes(changed) + changed
    if (at + pairBytes > out + outBytesMax) return -1
    at = writeLength(bytes, at, start - i)
    at = writeLength(bytes, at, changed)
    bytes.copyWithin(at, next + start, next + end)
    at += changed
    i = end
  }
}

/** A length, or a refusal; it has as many bytes as `lengthBytes` says. */
function readLength(bytes: Uint8Array, at: number, end: number): number {
  let length = 0
  for (let i = 0; i < lengthBytesMax; i++) {
    if (at + i === end) return DeltaRefusal.Truncated
    const byte = bytes[at + i]!
    length |= (byte & 0x7f) << (i * 7)
    if (byte < 0x80) return byte === 0 && i > 0 ? DeltaRefusal.BadLength : length
  }
  return DeltaRefusal.BadLength
}

/** See `Kernels.decodeDelta`. */
export function decodeDelta(
  bytes: Uint8Array,
  page: number,
  pageBytes: number,
  delta: number,
  deltaBytes: number,
): number {
  const end = delta + deltaBytes
  let at = delta
  let i = 0
  let stored = 0
  while (at < end) {
    const unchanged = readLength(bytes, at, end)
    if (unchanged < 0) return unchanged
    at += lengthBytes(unchanged)
    const changed = readLength(bytes, at, end)
    if (changed < 0) return changed
    at += lengthBytes(changed)
    if (changed === 0 || (unchanged === 0 && i > 0)) return DeltaRefusal.EmptyRun
    i += unchanged
    if (i + changed > pageBytes) return DeltaRefusal.PageExceeded
    if (at + changed > end) return DeltaRefusal.Truncated
    bytes.copyWithin(page + i, at, at + changed)
    at += changed
    i += changed
    stored += changed
  }
  return stored
}
