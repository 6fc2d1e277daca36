/**
 * Lengths and bytes of the runs of a delta.
 *
 * @module
 */

/** Bytes of a length as ULEB128, for lengths under 2^21. */
export function lengthBytes(length: usize): usize {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : 3
}

/** Copies short runs without a call; neither side is touched beyond them. */
export function copyRun(to: usize, from: usize, byteCount: usize): void {
  if (byteCount >= 256) {
    memory.copy(to, from, byteCount)
    return
  }
  const end = to + byteCount
  for (; to + 16 <= end; to += 16, from += 16) v128.store(to, v128.load(from))
  for (; to + 4 <= end; to += 4, from += 4) store<u32>(to, load<u32>(from))
  while (to < end) store<u8>(to++, load<u8>(from++))
}
