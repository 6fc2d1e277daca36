/**
 * Seals what one side of a channel sends.
 *
 * @module
 */
import {
  RECORD_BYTES_MAX,
  RECORD_HEADER_BYTES,
  RECORD_OVERHEAD_BYTES,
  TAG_BYTES,
} from './layout.ts'
import { RecordNonce } from './record-nonce.ts'
import type { RecordCipher } from './tools.ts'

/** Shorter records get memory of their own. */
const pooledBytesMin = 16 * 1024
/** Buffers that wait for their next use; a large message takes more, once. */
const spareMax = 16

/** Of one direction of one channel. */
export class RecordWriter {
  readonly #cipher: RecordCipher
  readonly #nonce: RecordNonce
  readonly #spare: Uint8Array[] = []

  /** @param records - sealed with this key so far */
  constructor(cipher: RecordCipher, records = 0) {
    this.#cipher = cipher
    this.#nonce = new RecordNonce(records)
  }

  get records(): number {
    return this.#nonce.count
  }

  /**
   * Seals at most {@link RECORD_BYTES_MAX}; nothing ends the stream.
   *
   * @returns the record; {@link giveBack} once it is written
   */
  seal(plain: Uint8Array): Uint8Array {
    const { length } = plain
    const record = this.#memory(length + RECORD_OVERHEAD_BYTES)
    const header = record.subarray(0, RECORD_HEADER_BYTES)
    new DataView(record.buffer, record.byteOffset).setUint32(0, length, true)
    const sealed = record.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + length + TAG_BYTES)
    this.#cipher.seal(this.#nonce.next(), header, plain, sealed)
    return record
  }

  giveBack(record: Uint8Array): void {
    const { buffer } = record
    if (record.length < pooledBytesMin || this.#spare.length >= spareMax) return
    this.#spare.push(new Uint8Array(buffer))
  }

  #memory(byteCount: number): Uint8Array {
    if (byteCount < pooledBytesMin) return new Uint8Array(byteCount)
    const spare = this.#spare.pop() ?? new Uint8Array(RECORD_BYTES_MAX + RECORD_OVERHEAD_BYTES)
    return spare.subarray(0, byteCount)
  }
}
