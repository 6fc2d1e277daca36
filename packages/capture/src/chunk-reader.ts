/**
 * Reads the chunks of a capture. The file may be damaged, cut short, or made by somebody who means
 * ill: nothing is taken for granted, and no more is held than one chunk.
 *
 * @module
 */
import { GodwitError, crc32 } from '@godwit/core'
import type { Side } from './layout.ts'
import {
  CAPTURE_MAGIC,
  CAPTURE_TEXT_BYTES_MAX,
  CAPTURE_VERSION,
  CHANNELS_OPEN_MAX,
  CHUNK,
  CHUNK_HEADER_BYTES,
  CHUNK_PAYLOAD_BYTES_MAX,
  ChunkKind,
  FILE_HEADER,
  FILE_HEADER_BYTES,
  sideOf,
} from './layout.ts'

/** Where a capture comes from. */
export interface CaptureInput {
  /** Fills the start of `into`. @returns how many bytes; 0 at the end */
  read(into: Uint8Array): number
}

/** The header of a file. */
export interface CaptureHeader {
  readonly side: Side
  /** Milliseconds since 1970. */
  readonly startedMs: number
}

interface Placed {
  /** Where the chunk begins in the file. */
  readonly at: number
  readonly timeUs: number
  readonly channel: number
}

/** What a chunk says. */
export type Chunk =
  | ({ readonly what: 'opened'; readonly remote: string } & Placed)
  /** `bytes` are borrowed until the next chunk is read. */
  | ({ readonly what: 'bytes'; readonly from: Side; readonly bytes: Uint8Array } & Placed)
  | ({ readonly what: 'closed'; readonly reason: string } & Placed)

/** How a file ends: with its end, without one (its writer died, or goes on), or within a chunk. */
export type CaptureEnd = 'ended' | 'unfinished' | 'torn'

/** The file is not as it was written. */
export class CaptureError extends GodwitError {
  /** Offset in the file. */
  readonly at: number

  constructor(at: number, text: string) {
    super('FILE_UNREADABLE', text)
    this.at = at
  }
}

/** Of one file; use once. */
export class ChunkReader {
  readonly header: CaptureHeader
  /** How the file ended, once {@link next} has returned undefined. */
  end: CaptureEnd | undefined
  /** Offset behind the last chunk that was read. */
  at: number
  readonly #input: CaptureInput
  readonly #head = new Uint8Array(CHUNK_HEADER_BYTES)
  #payload = new Uint8Array(4096)
  readonly #open = new Set<number>()
  #channels = 0

  /** Reads the header. @throws {CaptureError} it is none */
  constructor(input: CaptureInput) {
    this.#input = input
    const bytes = new Uint8Array(FILE_HEADER_BYTES)
    this.header = decodeFileHeader(bytes.subarray(0, this.#fill(bytes)))
    this.at = FILE_HEADER_BYTES
  }

  /**
   * The next chunk, undefined at the end.
   *
   * @throws {CaptureError} it is damaged, or is none
   */
  next(): Chunk | undefined {
    if (this.end !== undefined) return undefined
    const head = this.#head
    const seen = this.#fill(head)
    if (seen === 0) return this.#finish('unfinished')
    if (seen < head.length) return this.#finish('torn')
    const view = new DataView(head.buffer)
    const length = view.getUint32(CHUNK.length, true)
    if (length > CHUNK_PAYLOAD_BYTES_MAX) {
      throw this.#damaged(`states ${length} bytes: more than ${CHUNK_PAYLOAD_BYTES_MAX}`)
    }
    if (this.#payload.length < length) this.#payload = new Uint8Array(length)
    const payload = this.#payload.subarray(0, length)
    if (this.#fill(payload) < length) return this.#finish('torn')
    const checksum = crc32(payload, crc32(head, 0, 0, CHUNK.checksum))
    if (checksum !== view.getUint32(CHUNK.checksum, true)) {
      throw this.#damaged('is damaged: its checksum does not match')
    }
    const chunk = this.#decode(view, payload)
    this.at += CHUNK_HEADER_BYTES + length
    return chunk
  }

  #decode(view: DataView, payload: Uint8Array): Chunk | undefined {
    const channel = view.getUint32(CHUNK.channel, true)
    const timeUs = Number(view.getBigUint64(CHUNK.timeUs, true))
    const from = sideOf(view.getUint8(CHUNK.direction))
    const placed = { at: this.at, timeUs, channel }
    if (view.getUint16(CHUNK.reserved, true) !== 0) throw this.#damaged('has reserved bytes set')
    switch (view.getUint8(CHUNK.kind)) {
      case ChunkKind.Opened:
        if (channel !== this.#channels) throw this.#damaged('opens a channel out of turn')
        if (this.#open.size === CHANNELS_OPEN_MAX) throw this.#damaged('opens one channel too many')
        this.#channels++
        this.#open.add(channel)
        return { what: 'opened', remote: this.#text(payload), ...placed }
      case ChunkKind.Bytes:
        if (!this.#open.has(channel)) throw this.#damaged('is of no open channel')
        if (from === undefined || payload.length === 0) throw this.#damaged('has nothing to say')
        return { what: 'bytes', from, bytes: payload, ...placed }
      case ChunkKind.Closed:
        if (!this.#open.delete(channel)) throw this.#damaged('is of no open channel')
        return { what: 'closed', reason: this.#text(payload), ...placed }
      case ChunkKind.End:
        if (this.#fill(new Uint8Array(1)) > 0) throw this.#damaged('is the end, and more follows')
        return this.#finish('ended')
      default:
        throw this.#damaged('is of a kind that this release does not know')
    }
  }

  #text(payload: Uint8Array): string {
    if (payload.length > CAPTURE_TEXT_BYTES_MAX) throw this.#damaged('has a text that is too long')
    return new TextDecoder().decode(payload)
  }

  #finish(end: CaptureEnd): undefined {
    this.end = end
  }

  #fill(bytes: Uint8Array): number {
    let filled = 0
    while (filled < bytes.length) {
      const byteCount = this.#input.read(bytes.subarray(filled))
      if (byteCount === 0) break
      filled += byteCount
    }
    return filled
  }

  #damaged(what: string): CaptureError {
    return new CaptureError(this.at, `The chunk at offset ${this.at} of the capture ${what}`)
  }
}

function decodeFileHeader(bytes: Uint8Array): CaptureHeader {
  const isIt = CAPTURE_MAGIC.every((byte, index) => bytes[index] === byte)
  if (!isIt) throw new CaptureError(0, 'This is no capture of Godwit')
  if (bytes.length < FILE_HEADER_BYTES) throw new CaptureError(0, 'The capture has no whole header')
  const view = new DataView(bytes.buffer, bytes.byteOffset, FILE_HEADER_BYTES)
  if (crc32(bytes, 0, 0, FILE_HEADER.checksum) !== view.getUint32(FILE_HEADER.checksum, true)) {
    throw new CaptureError(0, "The capture's header is damaged: its checksum does not match")
  }
  const version = view.getUint16(FILE_HEADER.version, true)
  if (version !== CAPTURE_VERSION) {
    const text = `The capture is of version ${version}; this release reads ${CAPTURE_VERSION}`
    throw new CaptureError(FILE_HEADER.version, text)
  }
  const side = sideOf(view.getUint8(FILE_HEADER.side))
  const reserved = bytes.subarray(FILE_HEADER.reserved11, FILE_HEADER.startedUs)
  const isClean = reserved.every((byte) => byte === 0)
  if (side === undefined || !isClean || view.getUint32(FILE_HEADER.reserved24, true) !== 0) {
    throw new CaptureError(FILE_HEADER.side, "The capture's header is not as it should be")
  }
  return { side, startedMs: Number(view.getBigUint64(FILE_HEADER.startedUs, true)) / 1e3 }
}
