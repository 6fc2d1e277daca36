/**
 * XXH3 of any length.
 *
 * @module
 */
import { xxh3Long } from './xxh3-long.ts'
import { xxh3Short } from './xxh3-short.ts'

/** Words of scratch that {@link xxh3} needs. */
export const XXH3_SCRATCH_WORDS = 18

const shortBytesMax = 240

/**
 * XXH3 of `[at, at + length)` of `data`.
 *
 * @param key - a key block
 * @param words - scratch; the result is left in the first two, lower word first
 */
export function xxh3(
  data: DataView,
  at: number,
  length: number,
  key: DataView,
  words: Uint32Array,
): void {
  if (length > shortBytesMax) {
    xxh3Long(data, at, length, key, words)
    return
  }
  const hash = xxh3Short(new DataView(data.buffer, data.byteOffset + at, length), key)
  words[0] = Number(hash & 0xffffffffn)
  words[1] = Number(hash >> 32n)
}
