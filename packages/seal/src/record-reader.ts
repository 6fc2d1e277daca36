/**
 * Cuts what one side of a channel receives into records and opens them.
 *
 * @module
 */
import { KIB, TransportError } from '@godwit/core'
import { RECORD_BYTES_MAX, RECORD_HEADER_BYTES, RECORD_OVERHEAD_BYTES } from './layout.ts'
import { RecordNonce } from './record-nonce.ts'
import type { RecordCipher } from './tools.ts'

const bufferBytesFirst = 64 * KIB
/** Read at once although the record in front is shorter: there may be many short ones. */
const readBytesMin = 32 * KIB
/** The longest record, the next one's header, and what is read at once. */
const bufferBytesMax = RECORD_BYTES_MAX + RECORD_OVERHEAD_BYTES + RECORD_HEADER_BYTES + readBytesMin

/** Of one direction of one channel. */
export class RecordReader {
  readonly #cipher: RecordCipher
  readonly #nonce: RecordNonce
  /** Replaced once, by one of {@link bufferBytesMax}. */
  #buffer = new Uint8Array(bufferBytesFirst)
  #view = new DataView(this.#buffer.buffer)
  /** Unread bytes are `[#head, #tail)`. */
  #head = 0
  #tail = 0

  /** @param records - opened with this key so far */
  constructor(cipher: RecordCipher, records = 0) {
    this.#cipher = cipher
    this.#nonce = new RecordNonce(records)
  }

  get records(): number {
    return this.#nonce.count
  }

  /** Received, and not opened, in memory of their own. */
  get rest(): Uint8Array {
    return this.#buffer.slice(this.#head, this.#tail)
  }

  /** Free space to receive to. */
  space(): Uint8Array {
    if (this.#head === this.#tail) {
      this.#head = 0
      this.#tail = 0
    }
    const wanted = Math.max(this.#missingBytes, readBytesMin)
    if (this.#buffer.length - this.#tail < wanted) this.#makeRoom(wanted)
    return this.#buffer.subarray(this.#tail, this.#tail + wanted)
  }

  received(byteCount: number): void {
    this.#tail += byteCount
  }

  /**
   * What the next record holds, in memory of its own; nothing where it ends the stream. Undefined
   * until more bytes arrive.
   *
   * @throws {TransportError} `SEAL_BROKEN`
   */
  next(): Uint8Array | undefined {
    const available = this.#tail - this.#head
    if (available < RECORD_HEADER_BYTES) return undefined
    const length = this.#view.getUint32(this.#head, true)
    if (length > RECORD_BYTES_MAX) {
      throw broken(`A record of ${length} bytes passes the limit of ${RECORD_BYTES_MAX}`)
    }
    const end = this.#head + length + RECORD_OVERHEAD_BYTES
    if (end > this.#tail) return undefined
    const sealedAt = this.#head + RECORD_HEADER_BYTES
    const header = this.#buffer.subarray(this.#head, sealedAt)
    const sealed = this.#buffer.subarray(sealedAt, end)
    const opened = this.#cipher.open(this.#nonce.next(), header, sealed)
    if (opened === undefined) {
      throw broken('A sealed record was forged, damaged, repeated or left out on the way')
    }
    this.#head = end
    return opened
  }

  /** Of the record in front, and of the next one's header. */
  get #missingBytes(): number {
    const available = this.#tail - this.#head
    if (available < RECORD_HEADER_BYTES) return 0
    const length = this.#view.getUint32(this.#head, true)
    return length + RECORD_OVERHEAD_BYTES + RECORD_HEADER_BYTES - available
  }

  #makeRoom(wanted: number): void {
    const unread = this.#buffer.subarray(this.#head, this.#tail)
    if (unread.length + wanted > this.#buffer.length) {
      this.#buffer = new Uint8Array(bufferBytesMax)
      this.#view = new DataView(this.#buffer.buffer)
    }
    this.#buffer.set(unread)
    this.#head = 0
    this.#tail = unread.length
  }
}

function broken(text: string): TransportError {
  return new TransportError('SEAL_BROKEN', text)
}
