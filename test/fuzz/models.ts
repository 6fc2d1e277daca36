/**
 * Decoders that are written from the specification, slow and plain: what the fast ones must agree
 * with.
 *
 * @module
 */

/** A number of a delta, and where it ends. */
interface Length {
  readonly value: number
  readonly end: number
}

function readLength(delta: Uint8Array, at: number): Length | undefined {
  let value = 0
  for (let i = 0; i < 3; i++) {
    const byte = delta[at + i]
    if (byte === undefined) return undefined
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return byte === 0 && i > 0 ? undefined : { value, end: at + i + 1 }
  }
  return undefined
}

/** A page changed by a delta; undefined for bytes that are none. */
export function changedPage(page: Uint8Array, delta: Uint8Array): Uint8Array | undefined {
  const made = page.slice()
  let at = 0
  for (let next = 0; next < delta.length; ) {
    const same = readLength(delta, next)
    const changed = same && readLength(delta, same.end)
    if (same === undefined || changed === undefined || changed.value === 0) return undefined
    if (same.value === 0 && next > 0) return undefined
    at += same.value
    const bytes = delta.subarray(changed.end, changed.end + changed.value)
    if (bytes.length < changed.value || at + changed.value > made.length) return undefined
    made.set(bytes, at)
    at += changed.value
    next = changed.end + changed.value
  }
  return made
}

/** An LZ4 block's content when that is exactly `decodedBytes`, and it ends with literals. */
export function lz4Content(block: Uint8Array, decodedBytes: number): Uint8Array | undefined {
  const made: Uint8Array = new Uint8Array(decodedBytes)
  let end = 0
  let at = 0
  const length = (nibble: number): number => {
    let sum = nibble
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; sum += byte) {
      if (at === block.length) return Number.POSITIVE_INFINITY
      byte = block[at++]!
    }
    return sum
  }
  while (at < block.length) {
    const token = block[at++]!
    const literals = length(token >>> 4)
    if (literals > block.length - at || literals > decodedBytes - end) return undefined
    made.set(block.subarray(at, at + literals), end)
    at += literals
    end += literals
    if (at === block.length) return end === decodedBytes ? made : undefined
    if (at + 2 > block.length) return undefined
    const offset = block[at]! + block[at + 1]! * 256
    at += 2
    const count = length(token & 15) + 4
    if (offset === 0 || offset > end || count > decodedBytes - end) return undefined
    for (let i = 0; i < count; i++, end++) made[end] = made[end - offset]!
  }
  // No last sequence: not even an empty content is a block without a token.
  return undefined
}

/** The payload that was transposed to `bytes` with rows of `2 ** stride` bytes. */
export function inOrder(bytes: Uint8Array, stride: number): Uint8Array {
  // Not `slice`: that of a `Buffer` is no copy.
  const made = Uint8Array.from(bytes)
  const columns = 2 ** stride
  const rows = Math.floor(bytes.length / columns)
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) made[r * columns + c] = bytes[c * rows + r]!
  }
  return made
}

/** The inverse of {@link inOrder}. */
export function transposed(bytes: Uint8Array, stride: number): Uint8Array {
  const made = Uint8Array.from(bytes)
  const columns = 2 ** stride
  const rows = Math.floor(bytes.length / columns)
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) made[c * rows + r] = bytes[r * columns + c]!
  }
  return made
}
