/**
 * Numbers and seals the frames of one direction of one channel.
 *
 * @module
 */
import { crc32 } from '@godwit/core'
import { coveredBytes } from './frame-reader.ts'
import type { FrameType } from './frame-type.ts'
import { FRAME, FRAME_HEADER_BYTES } from './layout.ts'

/** One instance per channel and direction: it owns the sequence. */
export class FrameWriter {
  #sequence = 0

  /** A whole frame in new memory; for control bodies. `body` is copied. */
  frame(type: FrameType, body: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(FRAME_HEADER_BYTES + body.length)
    bytes.set(body, FRAME_HEADER_BYTES)
    this.seal(type, bytes, 0, body.length)
    return bytes
  }

  /**
   * Writes the header of a frame whose body already stands in `bytes` from
   * `headerStart + FRAME_HEADER_BYTES` on. Allocates a `DataView` and nothing else.
   */
  seal(type: FrameType, bytes: Uint8Array, headerStart: number, bodyBytes: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const start = headerStart + FRAME_HEADER_BYTES
    view.setUint16(headerStart + FRAME.type, type, true)
    view.setUint16(headerStart + FRAME.flags, 0, true)
    view.setUint32(headerStart + FRAME.length, bodyBytes, true)
    view.setUint32(headerStart + FRAME.sequence, this.#sequence, true)
    const header = crc32(bytes, 0, headerStart, headerStart + FRAME.checksum)
    const covered = coveredBytes(type, view, start, bodyBytes)
    view.setUint32(headerStart + FRAME.checksum, crc32(bytes, header, start, start + covered), true)
    this.#sequence = (this.#sequence + 1) >>> 0
  }
}
