/**
 * Replies that are still to be written to a connection.
 *
 * @module
 */
import type { Socket } from 'node:net'
import { digitsOf, putInteger } from './ascii.ts'
import { FRAME_HEADER_BYTES, type FrameHeader, type FrameKind, putHeader } from './frame.ts'

const bytesAtFirst = 65_536
/** Copying so few bytes one by one is cheaper than making a view of them. */
const smallBytes = 64
/** One large reply is not to hold its memory for ever. */
const keptBytesMax = bytesAtFirst * 16

/** Bytes in a row; its memory is used again. */
export class Replies {
  #bytes: Uint8Array = Buffer.allocUnsafeSlow(bytesAtFirst)
  length = 0

  #reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.#bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.length))
    this.#bytes = grown
  }

  /** Adds `source[from, from + count)`, which may be guest memory. */
  add(source: Uint8Array, from = 0, count: number = source.length): void {
    this.#reserve(count)
    const into = this.#bytes
    const at = this.length
    if (count > smallBytes) into.set(source.subarray(from, from + count), at)
    else for (let i = 0; i < count; i++) into[at + i] = source[from + i]!
    this.length = at + count
  }

  /** Adds a whole number from 0 to 2^53 as text. */
  addInteger(value: number): void {
    this.#reserve(digitsOf(value))
    this.length = putInteger(this.#bytes, this.length, value)
  }

  /** Adds a whole number from 0 to 2^53 as `count` bytes, the highest first. */
  addBinary(value: number, count: number): void {
    this.#reserve(count)
    let rest = value
    for (let i = this.length + count - 1; i >= this.length; i--) {
      this.#bytes[i] = rest % 256
      rest = Math.floor(rest / 256)
    }
    this.length += count
  }

  /** For what is not asked for often. */
  addText(text: string): void {
    for (let i = 0; i < text.length; i++) {
      this.#reserve(1)
      this.#bytes[this.length++] = text.charCodeAt(i)
    }
  }

  /** Takes back what was added since `length` was this. */
  cut(length: number): void {
    this.length = length
  }

  /** All of it in memory of its own; afterwards there is nothing. */
  take(): Uint8Array {
    const taken = Uint8Array.prototype.slice.call(this.#bytes, 0, this.length)
    this.#clear(this.#bytes.length > keptBytesMax)
    return taken
  }

  /**
   * Writes all of it to a socket; afterwards there is nothing.
   *
   * @returns false when the socket has enough, and will say when it has not (`drain`)
   */
  writeTo(socket: Socket): boolean {
    socket.write(this.#bytes.subarray(0, this.length))
    // What the kernel did not take at once is still to be read from this memory.
    const isKept = socket.writableLength > 0
    this.#clear(isKept || this.#bytes.length > keptBytesMax)
    return !isKept || !socket.writableNeedDrain
  }

  #clear(isRenewed: boolean): void {
    this.length = 0
    if (isRenewed) this.#bytes = Buffer.allocUnsafeSlow(bytesAtFirst)
  }

  addFrame(header: FrameHeader): void {
    this.#reserve(FRAME_HEADER_BYTES)
    putHeader(this.#bytes, this.length, header)
    this.length += FRAME_HEADER_BYTES
  }

  /** What is added from here on is a frame's. @returns where that begins */
  beginFrame(): number {
    this.#reserve(FRAME_HEADER_BYTES)
    this.length += FRAME_HEADER_BYTES
    return this.length
  }

  /** Puts a header before what was added since; none where that is nothing. @returns its bytes */
  endFrame(at: number, kind: FrameKind, channel: number): number {
    const value = this.length - at
    const headerAt = at - FRAME_HEADER_BYTES
    if (value === 0) this.length = headerAt
    else putHeader(this.#bytes, headerAt, { kind, channel, value })
    return value
  }
}
