/**
 * One direction of one captured channel: a preface, then frames, each with its place in the file.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import { WireError, toGodwitError } from '@godwit/core'
import type { Frame, Preface } from '@godwit/wire'
import { FRAME_HEADER_BYTES, FrameReader, PREFACE_BYTES, decodePreface } from '@godwit/wire'

/** What is found in a stream; `at` is where it begins in the file. */
export type Unit =
  | { readonly what: 'preface'; readonly at: number; readonly preface: Preface }
  | {
      readonly what: 'frame'
      readonly at: number
      readonly sequence: number
      /** Its body is borrowed until the next unit. */
      readonly frame: Frame
    }
  /** Optional frames of types that are not known. */
  | {
      readonly what: 'skipped'
      readonly at: number
      readonly sequence: number
      readonly frames: number
    }
  /** It is not as the protocol says; nothing that follows is looked at. */
  | {
      readonly what: 'broken'
      readonly at: number
      readonly sequence: number
      readonly error: GodwitError
    }

/** Small at first: a file may have many channels, and most say little. */
const bufferBytes = 1024

/** Use once. */
export class FrameStream {
  preface: Preface | undefined
  readonly #head = new Uint8Array(PREFACE_BYTES)
  #headBytes = 0
  #reader: FrameReader | undefined
  /** Where in the file the unread bytes begin, if there are any. */
  #unreadAt = 0
  #isBroken = false

  /** Whether what was fed ends within a preface or a frame. */
  get isPartial(): boolean {
    if (this.#isBroken) return false
    if (this.#reader !== undefined) return this.#reader.pendingBytes > 0
    return this.#headBytes > 0
  }

  /** Where that begins. */
  get partialAt(): number {
    return this.#unreadAt
  }

  /** The number of the frame that is to come, or is partial. */
  get sequence(): number {
    return this.#reader?.sequence ?? 0
  }

  /** Bytes of the direction that follow, from `at` in the file on. */
  *feed(bytes: Uint8Array, at: number): Generator<Unit, void> {
    let used = 0
    while (used < bytes.length && !this.#isBroken) {
      if (!this.isPartial) this.#unreadAt = at + used
      if (this.#reader === undefined) {
        const byteCount = Math.min(PREFACE_BYTES - this.#headBytes, bytes.length - used)
        this.#head.set(bytes.subarray(used, used + byteCount), this.#headBytes)
        this.#headBytes += byteCount
        used += byteCount
        yield* this.#introduce()
      } else {
        const space = this.#reader.space()
        const byteCount = Math.min(space.length, bytes.length - used)
        space.set(bytes.subarray(used, used + byteCount))
        this.#reader.received(byteCount)
        used += byteCount
        yield* this.#frames(this.#reader, at + used)
      }
    }
  }

  *#introduce(): Generator<Unit, void> {
    try {
      const preface = decodePreface(this.#head.subarray(0, this.#headBytes))
      if (preface === undefined) return
      this.preface = preface
      this.#reader = new FrameReader(preface.role, new Uint8Array(bufferBytes))
      yield { what: 'preface', at: this.#unreadAt, preface }
    } catch (thrown) {
      yield this.#broken(thrown)
    }
  }

  /** @param end - where in the file the bytes end that were fed last */
  *#frames(reader: FrameReader, end: number): Generator<Unit, void> {
    for (;;) {
      const { sequence } = reader
      let isSkipping = reader.pendingBytes > reader.unreadBytes
      let frame: Frame | undefined
      let error: unknown
      try {
        frame = reader.next()
      } catch (thrown) {
        error = thrown
      }
      const skipped = (reader.sequence - sequence - (frame === undefined ? 0 : 1)) >>> 0
      if (skipped > 0) yield { what: 'skipped', at: this.#unreadAt, sequence, frames: skipped }
      isSkipping ||= skipped > 0
      // What follows a frame that was thrown away begins in what was fed last.
      const frameBytes = frame === undefined ? 0 : FRAME_HEADER_BYTES + frame.body.length
      const start = end - reader.unreadBytes - frameBytes
      if (isSkipping) this.#unreadAt = start
      if (error !== undefined) yield this.#broken(error)
      if (frame === undefined) return
      const at = this.#unreadAt
      this.#unreadAt = start + frameBytes
      yield { what: 'frame', at, sequence: (reader.sequence - 1) >>> 0, frame }
    }
  }

  #broken(thrown: unknown): Unit {
    this.#isBroken = true
    const error = toGodwitError(thrown)
    return { what: 'broken', at: this.#unreadAt, sequence: this.sequence, error }
  }

  /** The stream ended in order, and yet within a unit. */
  truncated(): Unit {
    return this.#broken(new WireError('WIRE_TRUNCATED', 'The stream ended inside a frame'))
  }
}
