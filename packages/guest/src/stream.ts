/**
 * The stream between a guest `network` and its peer, a process outside of the guest: what it
 * carries, and its format. All records have a fixed length; numbers are little-endian.
 *
 * | record | who | bytes |
 * |---|---|---|
 * | hello | guest, first | u32 magic `GWNS`, u32 version 1; u64 each: seed, bytes per second, |
 * |       |              | acknowledged, first |
 * | acknowledgement | guest | u64 acknowledged |
 * | segment | peer | u64 number, {@link SEGMENT_BYTES} of content |
 *
 * Segments are counted from 0 through the life of the guest, wherever it is. *acknowledged*: all
 * below it are in guest memory for good. *first*: where the peer begins to send, at most
 * {@link WINDOW_SEGMENTS} beyond. Content is a function of seed and number, so that a peer keeps
 * nothing, and the oracle knows what must have come.
 *
 * @module
 */
import { WireError } from '@godwit/core'
import { WORK_PAGE_BYTES } from './layout.ts'
import { makePool } from './writer.ts'

export const SEGMENT_BYTES: number = WORK_PAGE_BYTES
const segmentWords = SEGMENT_BYTES / 4
/** Most segments that were sent and are not acknowledged: 1 MiB. */
export const WINDOW_SEGMENTS = 256

export const HELLO_BYTES = 40
export const ACKNOWLEDGEMENT_BYTES = 8
export const SEGMENT_HEADER_BYTES = 8
export const SEGMENT_RECORD_BYTES: number = SEGMENT_HEADER_BYTES + SEGMENT_BYTES

const magic = 0x534e5747
const version = 1
/** 10 Gbit/s: more than a peer on loopback sends. */
export const STREAM_RATE_MAX = 1.25e9
/** Slower, a stream is none. */
export const STREAM_RATE_MIN = 1000
/** Of numbers of chunks of a pool's length, so that no two are alike. */
const chunkFactor = 0x9e3779b1

/** What a guest says of the stream that it wants. */
export interface Hello {
  readonly seed: number
  readonly bytesPerSecond: number
  /** Segments that it has for good. */
  readonly acknowledged: number
  /** The segment that is to be sent first. */
  readonly first: number
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function countAt(view: DataView, at: number, name: string): number {
  const count = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32
  if (!Number.isSafeInteger(count)) throw new WireError('WIRE_BODY', `${name} is above 2^53`)
  return count
}

function setCount(view: DataView, at: number, count: number): void {
  view.setUint32(at, count % 2 ** 32, true)
  view.setUint32(at + 4, Math.floor(count / 2 ** 32), true)
}

/** @returns a record of {@link HELLO_BYTES} */
export function encodeHello({ seed, bytesPerSecond, acknowledged, first }: Hello): Uint8Array {
  const bytes = new Uint8Array(HELLO_BYTES)
  const view = viewOf(bytes)
  view.setUint32(0, magic, true)
  view.setUint32(4, version, true)
  setCount(view, 8, seed)
  setCount(view, 16, bytesPerSecond)
  setCount(view, 24, acknowledged)
  setCount(view, 32, first)
  return bytes
}

/** @throws {WireError} `WIRE_MAGIC`, `WIRE_BODY`, `WIRE_SEQUENCE` */
export function decodeHello(bytes: Uint8Array): Hello {
  const view = viewOf(bytes)
  if (view.getUint32(0, true) !== magic || view.getUint32(4, true) !== version) {
    throw new WireError('WIRE_MAGIC', 'This is no guest that wants a stream')
  }
  const seed = countAt(view, 8, 'a seed')
  const bytesPerSecond = countAt(view, 16, 'a rate')
  const acknowledged = countAt(view, 24, 'a segment number')
  const first = countAt(view, 32, 'a segment number')
  if (bytesPerSecond < STREAM_RATE_MIN || bytesPerSecond > STREAM_RATE_MAX) {
    throw new WireError('WIRE_BODY', `A stream of ${bytesPerSecond} bytes per second is not had`)
  }
  if (first < acknowledged || first - acknowledged > WINDOW_SEGMENTS) {
    throw new WireError('WIRE_SEQUENCE', `Segment ${first} is not near ${acknowledged}`)
  }
  return { seed, bytesPerSecond, acknowledged, first }
}

/** @returns a record of {@link ACKNOWLEDGEMENT_BYTES} */
export function encodeAcknowledgement(acknowledged: number): Uint8Array {
  const bytes = new Uint8Array(ACKNOWLEDGEMENT_BYTES)
  setCount(viewOf(bytes), 0, acknowledged)
  return bytes
}

/**
 * @param from - what was acknowledged before
 * @param sent - segments that there are to acknowledge
 * @throws {WireError} `WIRE_BODY`, `WIRE_SEQUENCE`
 */
export function decodeAcknowledgement(bytes: Uint8Array, from: number, sent: number): number {
  const acknowledged = countAt(viewOf(bytes), 0, 'a segment number')
  if (acknowledged >= from && acknowledged <= sent) return acknowledged
  const text = `Segment ${acknowledged} is acknowledged where ${from} to ${sent} can be`
  throw new WireError('WIRE_SEQUENCE', text)
}

/**
 * Checks the number of a segment's record.
 *
 * @param expected - of the next segment
 * @throws {WireError} `WIRE_BODY`, `WIRE_SEQUENCE`
 */
export function checkSegment(record: Uint8Array, expected: number): void {
  const number = countAt(viewOf(record), 0, 'a segment number')
  if (number === expected) return
  throw new WireError('WIRE_SEQUENCE', `Segment ${number} came where ${expected} belongs`)
}

/** What the stream of one seed carries. */
export class StreamContent {
  readonly #pool: Int32Array
  readonly #words = new Int32Array(segmentWords)
  readonly #bytes = new Uint8Array(this.#words.buffer)

  constructor(seed: number) {
    this.#pool = makePool(seed)
  }

  /** The content of one segment; valid until the next is asked for. */
  segment(number: number): Int32Array {
    const poolSegments = this.#pool.length / segmentWords
    const from = (number % poolSegments) * segmentWords
    const change = Math.imul(Math.floor(number / poolSegments) + 1, chunkFactor)
    for (let i = 0; i < segmentWords; i++) this.#words[i] = this.#pool[from + i]! ^ change
    return this.#words
  }

  /** Writes a whole record of {@link SEGMENT_RECORD_BYTES} to `into`, from `at` on. */
  writeRecord(number: number, into: Uint8Array, at: number): void {
    setCount(viewOf(into), at, number)
    this.segment(number)
    into.set(this.#bytes, at + SEGMENT_HEADER_BYTES)
  }
}

/** Cuts what a socket brings into records of one length, and keeps less than one. */
export class RecordReader {
  readonly #part: Uint8Array
  #kept = 0

  constructor(recordBytes: number) {
    this.#part = new Uint8Array(recordBytes)
  }

  /** @param take - called with each record that is whole; it is valid during the call only */
  feed(chunk: Uint8Array, take: (record: Uint8Array) => void): void {
    const recordBytes = this.#part.length
    let at = 0
    while (at < chunk.length) {
      if (this.#kept === 0 && chunk.length - at >= recordBytes) {
        take(chunk.subarray(at, at + recordBytes))
        at += recordBytes
        continue
      }
      const count = Math.min(recordBytes - this.#kept, chunk.length - at)
      this.#part.set(chunk.subarray(at, at + count), this.#kept)
      this.#kept += count
      at += count
      if (this.#kept < recordBytes) return
      this.#kept = 0
      take(this.#part)
    }
  }
}
