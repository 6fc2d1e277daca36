/**
 * Numbers the records of one direction: a record that is lost, repeated or out of order does not
 * open.
 *
 * @module
 */

const nonceBytes = 12
const counterAt = 4

/** Four zeros, then the number of the record, 0 for the first: never twice with one key. */
export class RecordNonce {
  #count: number
  readonly #bytes = new Uint8Array(nonceBytes)
  readonly #view = new DataView(this.#bytes.buffer)

  constructor(count: number) {
    this.#count = count
  }

  get count(): number {
    return this.#count
  }

  /** Borrowed until the next call. A number is exact for 2^53 records; there are never so many. */
  next(): Uint8Array {
    const count = this.#count++
    this.#view.setUint32(counterAt, count >>> 0, true)
    this.#view.setUint32(counterAt + 4, Math.floor(count / 2 ** 32), true)
    return this.#bytes
  }
}
