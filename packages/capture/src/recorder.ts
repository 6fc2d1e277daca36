/**
 * Writes a capture: everything that goes over channels, as it is seen at one side.
 *
 * Nothing is queued here: what a channel is given to write, or has read, is in the file before
 * anybody goes on. So it costs time, no memory, and what a process that dies leaves behind is whole
 * but for its last chunk.
 *
 * @module
 */
import type { Channel, Clock, GodwitError } from '@godwit/core'
import { crc32, toGodwitError } from '@godwit/core'
import { CapturedChannel } from './captured-channel.ts'
import type { Side } from './layout.ts'
import {
  CAPTURE_MAGIC,
  CAPTURE_TEXT_BYTES_MAX,
  CAPTURE_VERSION,
  CHUNK,
  CHUNK_HEADER_BYTES,
  CHUNK_PAYLOAD_BYTES_MAX,
  ChunkKind,
  FILE_HEADER,
  FILE_HEADER_BYTES,
  sideNumbers,
} from './layout.ts'

/** Where a capture goes. */
export interface CaptureOutput {
  /** Appends; all of it is taken when it returns. Borrowed for the call. */
  write(bytes: Uint8Array): void
}

/** What a recorder is made with. */
export interface RecorderOptions {
  /** Who captures. */
  readonly side: Side
  readonly clock: Clock
  /** Milliseconds since 1970. */
  readonly startedMs: number
  /** The output takes no more: nothing is captured from now on. The channels go on. */
  readonly onFailed: (error: GodwitError) => void
}

/** One capture. */
export class Recorder {
  readonly #output: CaptureOutput
  readonly #options: RecorderOptions
  readonly #beganMs: number
  #channels = 0
  #isOver = false

  /** Writes the header of the file. @throws whatever `output` throws */
  constructor(output: CaptureOutput, options: RecorderOptions) {
    this.#output = output
    this.#options = options
    this.#beganMs = options.clock.nowMs()
    output.write(fileHeader(options))
  }

  /** Sees what goes over `channel`, which is to be used by nobody else from now on. */
  capture(channel: Channel): Channel {
    return new CapturedChannel(channel, this, this.#options.side)
  }

  /** @returns the channel's number */
  opened(remote: string): number {
    const number = this.#channels++
    this.#append(number, ChunkKind.Opened, 0, textBytes(remote))
    return number
  }

  /** @param from - who says it */
  bytes(channel: number, from: Side, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += CHUNK_PAYLOAD_BYTES_MAX) {
      const piece = bytes.subarray(at, at + CHUNK_PAYLOAD_BYTES_MAX)
      this.#append(channel, ChunkKind.Bytes, sideNumbers[from], piece)
    }
  }

  /** @param reason - the code of an error, or nothing where both sides ended in order */
  closed(channel: number, reason: string): void {
    this.#append(channel, ChunkKind.Closed, 0, textBytes(reason))
  }

  /** Nothing more is captured: what follows is left out. Idempotent. */
  end(): void {
    this.#append(0, ChunkKind.End, 0, new Uint8Array(0))
    this.#isOver = true
  }

  #append(channel: number, kind: number, direction: number, payload: Uint8Array): void {
    if (this.#isOver) return
    const timeUs = Math.round((this.#options.clock.nowMs() - this.#beganMs) * 1e3)
    const header = new Uint8Array(CHUNK_HEADER_BYTES)
    const view = new DataView(header.buffer)
    view.setUint32(CHUNK.channel, channel, true)
    view.setUint8(CHUNK.kind, kind)
    view.setUint8(CHUNK.direction, direction)
    view.setBigUint64(CHUNK.timeUs, BigInt(timeUs), true)
    view.setUint32(CHUNK.length, payload.length, true)
    view.setUint32(CHUNK.checksum, crc32(payload, crc32(header, 0, 0, CHUNK.checksum)), true)
    try {
      this.#output.write(header)
      this.#output.write(payload)
    } catch (thrown) {
      this.#isOver = true
      this.#options.onFailed(toGodwitError(thrown))
    }
  }
}

function fileHeader({ side, startedMs }: RecorderOptions): Uint8Array {
  const header = new Uint8Array(FILE_HEADER_BYTES)
  const view = new DataView(header.buffer)
  header.set(CAPTURE_MAGIC, FILE_HEADER.magic)
  view.setUint16(FILE_HEADER.version, CAPTURE_VERSION, true)
  view.setUint8(FILE_HEADER.side, sideNumbers[side])
  view.setBigUint64(FILE_HEADER.startedUs, BigInt(Math.round(startedMs * 1e3)), true)
  view.setUint32(FILE_HEADER.checksum, crc32(header, 0, 0, FILE_HEADER.checksum), true)
  return header
}

function textBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text).subarray(0, CAPTURE_TEXT_BYTES_MAX)
}
