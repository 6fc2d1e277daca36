/**
 * What a relay and the owner of a service say to each other: requests and replies of many clients
 * over one connection, so that those of one turn of the event loop are one write.
 *
 * The relay begins with the line {@link RELAY_HELLO}, which the owner answers with the same. From
 * there on each side sends frames, all numbers little-endian:
 *
 * ```
 * 0  a number (4)     4  channel (2)     6  kind (1)     7  0 (1)     8  data, of Data only
 * ```
 *
 * | kind | by | number | meaning |
 * |---|---|---|---|
 * | 1 Data | both | bytes that follow | requests, or replies; the first opens the channel |
 * | 2 End | relay | 0 | the client says no more: Close comes when all is answered |
 * | 3 Close | both | 0 | nothing more of this channel; each sends one, then its number is free |
 * | 4 Credit | relay | bytes | so many bytes of replies were taken by the client |
 * | 5 Hold | relay | 0 | nothing more follows; to be answered when all is |
 * | 6 Held | owner | 0 | everything before Hold is answered |
 *
 * An owner has told at most {@link WINDOW_BYTES} and one reply that were not credited: then it
 * executes no more of that channel.
 *
 * @module
 */
import { ascii } from './ascii.ts'

export const RELAY_HELLO: Uint8Array = ascii('godwit relay 1\r\n')
export const FRAME_HEADER_BYTES = 8
/** Channels of one connection, those included that are being closed. */
export const CHANNELS_MAX = 4096
export const WINDOW_BYTES: number = 1 << 20

export const FrameKind = { Data: 1, End: 2, Close: 3, Credit: 4, Hold: 5, Held: 6 } as const
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind]

/** One frame's header; see the table. */
export interface FrameHeader {
  readonly kind: FrameKind
  readonly channel: number
  readonly value: number
}

/** Writes a header at `at`. */
export function putHeader(
  bytes: Uint8Array,
  at: number,
  { kind, channel, value }: FrameHeader,
): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
  bytes[at + 4] = channel
  bytes[at + 5] = channel >>> 8
  bytes[at + 6] = kind
  bytes[at + 7] = 0
}

/** Who frames are for. */
export interface FrameTaker {
  /** Data of a channel as it comes, in parts; a view of the chunk. */
  data(channel: number, bytes: Uint8Array): void
  /** All other frames. @returns false where that may not be */
  frame(kind: FrameKind, channel: number, value: number): boolean
}

/** Finds frames in a stream of bytes, however it is cut. */
export class FrameReader {
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES)
  #headerBytes = 0
  /** Of the data of a channel that is still to come. */
  #leftBytes = 0
  #channel = 0

  /** @returns false where that is no frame: the connection is of no use any more */
  read(chunk: Uint8Array, taker: FrameTaker): boolean {
    for (let at = 0; at < chunk.length; ) {
      if (this.#leftBytes > 0) {
        const count = Math.min(this.#leftBytes, chunk.length - at)
        taker.data(this.#channel, chunk.subarray(at, at + count))
        this.#leftBytes -= count
        at += count
      } else {
        this.#header[this.#headerBytes++] = chunk[at++]!
        if (this.#headerBytes === FRAME_HEADER_BYTES && !this.#take(taker)) return false
      }
    }
    return true
  }

  #take(taker: FrameTaker): boolean {
    this.#headerBytes = 0
    const header = this.#header
    const value = (header[0]! | (header[1]! << 8) | (header[2]! << 16) | (header[3]! << 24)) >>> 0
    const channel = header[4]! | (header[5]! << 8)
    if (channel >= CHANNELS_MAX || header[7] !== 0) return false
    const kind = header[6] as FrameKind
    if (kind !== FrameKind.Data) return taker.frame(kind, channel, value)
    this.#channel = channel
    this.#leftBytes = value
    return true
  }
}
