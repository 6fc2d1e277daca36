/**
 * One LZ4 block, unpacked by its specification.
 *
 * @module
 */
import { Failure } from './failure.ts'

/** Matches are at least so long. */
const matchBytesMin = 4

/** @throws {Failure} `C5.7`, `C5.8` */
export function unpackLz4(block: Uint8Array, byteCount: number): Uint8Array {
  const out = new Uint8Array(byteCount)
  let [at, end] = [0, 0]
  const lengthOf = (nibble: number): number => {
    let length = nibble
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; length += byte) byte = block[at++] ?? 0
    return length
  }
  while (at < block.length) {
    const token = block[at++]!
    const literals = lengthOf(token >>> 4)
    if (end + literals > byteCount || at + literals > block.length) throw tooMuch(byteCount)
    out.set(block.subarray(at, at + literals), end)
    at += literals
    end += literals
    if (at >= block.length) break
    const offset = block[at]! | ((block[at + 1] ?? 0) << 8)
    at += 2
    const length = lengthOf(token & 15) + matchBytesMin
    if (offset === 0 || offset > end || end + length > byteCount) throw tooMuch(byteCount)
    for (let i = 0; i < length; i++, end++) out[end] = out[end - offset]!
  }
  if (end !== byteCount) throw tooMuch(byteCount)
  return out
}

function tooMuch(byteCount: number): Failure {
  return new Failure('C5.8', `an LZ4 block of ${byteCount} bytes`, 'another one')
}
