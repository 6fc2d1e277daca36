/**
 * The regions of a guest as one run of addresses.
 *
 * @module
 */

/** Writes across the borders of consecutive pieces; for filling, not for hot loops. */
export class LinearMemory {
  readonly byteLength: number
  readonly #parts: readonly Uint8Array[]

  constructor(parts: readonly Uint8Array[]) {
    this.#parts = parts
    this.byteLength = parts.reduce((sum, part) => sum + part.byteLength, 0)
  }

  /** Copies `source` to `offset`; what would pass the end is left out. */
  write(offset: number, source: Uint8Array): void {
    let partStart = 0
    let done = 0
    for (const part of this.#parts) {
      const at = offset + done - partStart
      if (at < part.byteLength && done < source.byteLength) {
        const count = Math.min(source.byteLength - done, part.byteLength - at)
        const whole = done === 0 && count === source.byteLength
        part.set(whole ? source : source.subarray(done, done + count), at)
        done += count
      }
      partStart += part.byteLength
    }
  }
}
