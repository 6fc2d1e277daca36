/**
 * Is a page all zero?
 *
 * @module
 */

/**
 * Whether `words[start, end)` are all zero. Integers, because a float comparison takes -0.0 for 0.
 * Eight words per step: one branch per 32 bytes.
 */
export function isZeroWords(words: Int32Array, start: number, end: number): boolean {
  let i = start
  for (; i + 8 <= end; i += 8) {
    const any =
      words[i]! |
      words[i + 1]! |
      words[i + 2]! |
      words[i + 3]! |
      words[i + 4]! |
      words[i + 5]! |
      words[i + 6]! |
      words[i + 7]!
    if (any !== 0) return false
  }
  for (; i < end; i++) if (words[i] !== 0) return false
  return true
}

/** The same by bytes, for memory or lengths that are not a multiple of four. */
export function isZeroBytes(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false
  return true
}

/** Tests pages of one region; words where its memory is aligned, bytes where not. */
export class ZeroTest {
  readonly #bytes: Uint8Array
  readonly #words: Int32Array | undefined

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    const aligned = bytes.byteOffset % 4 === 0
    this.#words = aligned
      ? new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2)
      : undefined
  }

  isZero(start: number, end: number): boolean {
    if (this.#words === undefined || start % 4 !== 0) return isZeroBytes(this.#bytes, start, end)
    const wholeEnd = end - (end % 4)
    return (
      isZeroWords(this.#words, start / 4, wholeEnd / 4) && isZeroBytes(this.#bytes, wholeEnd, end)
    )
  }
}
