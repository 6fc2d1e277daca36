/**
 * Cuts a byte stream into frames, in place: received bytes land in the reader's own buffer and
 * frames are views of it. Incomplete input is a return value, never an exception.
 *
 * @module
 */
import { LimitError, WireError, crc32 } from '@godwit/core'
import { FrameType, frameRule, OPTIONAL_BIT } from './frame-type.ts'
import { BATCH, BATCH_HEADER_BYTES, ENTRY_BYTES, FRAME, FRAME_HEADER_BYTES } from './layout.ts'
import type { ChannelRole } from './layout.ts'
import { OPTIONAL_BODY_BYTES_MAX, TABLE_BODY_BYTES_MAX } from './limits.ts'

/** One whole frame whose header and checksum are right. */
export interface Frame {
  readonly type: FrameType
  /** Borrowed: valid until the reader's next {@link FrameReader.space}. */
  readonly body: Uint8Array
}

const bufferBytesDefault = 64 * 1024
/** Read at once although the frame in front is shorter: there may be many short ones. */
const readBytesMin = 32 * 1024

/** Reads the frames of one direction of one channel, after its preface. */
export class FrameReader {
  readonly #role: ChannelRole
  readonly #admit: ((byteCount: number) => void) | undefined
  #buffer: Uint8Array
  #view: DataView
  /** Unread bytes are `[#head, #tail)`. */
  #head = 0
  #tail = 0
  #sequence = 0
  /** Bytes of an optional frame still to be thrown away. */
  #skipBytes = 0

  /**
   * @param buffer - where to read to; left for a larger one when a frame does not fit
   * @param admit - asked, maybe more than once, before the body of a message of more than 256 KiB
   *   is kept; what it throws is thrown here
   */
  constructor(
    role: ChannelRole,
    buffer: Uint8Array = new Uint8Array(bufferBytesDefault),
    admit?: (byteCount: number) => void,
  ) {
    this.#role = role
    this.#admit = admit
    this.#buffer = buffer
    this.#view = viewOf(buffer)
  }

  /** Bytes received that do not make a whole frame yet. */
  get pendingBytes(): number {
    return this.#tail - this.#head + this.#skipBytes
  }

  /** Of them, those that are kept: not of an optional frame that is thrown away. */
  get unreadBytes(): number {
    return this.#tail - this.#head
  }

  /** The number that the next frame must have; optional ones that were skipped have theirs. */
  get sequence(): number {
    return this.#sequence
  }

  /**
   * Free space for the transport to write to. Frames handed out before are invalid now.
   *
   * Room for the rest of the frame in front and little more: what comes behind a long frame begins
   * the next one, and would have to be moved to the start of the buffer before that fits.
   */
  space(): Uint8Array {
    if (this.#head === this.#tail) {
      this.#head = 0
      this.#tail = 0
    }
    const wanted = Math.max(this.#missingBytes, readBytesMin)
    if (this.#head > 0 && this.#buffer.length - this.#tail < wanted) {
      this.#buffer.copyWithin(0, this.#head, this.#tail)
      this.#tail -= this.#head
      this.#head = 0
    }
    if (this.#tail === this.#buffer.length) this.#grow()
    return this.#buffer.subarray(this.#tail, this.#tail + wanted)
  }

  /** Of the frame in front, whose header was checked, and of the next one's header. */
  get #missingBytes(): number {
    const available = this.#tail - this.#head
    if (available < FRAME_HEADER_BYTES || this.#skipBytes > 0) return 0
    const length = this.#view.getUint32(this.#head + FRAME.length, true)
    return length + 2 * FRAME_HEADER_BYTES - available
  }

  /** The transport wrote `byteCount` bytes to the start of {@link space}. */
  received(byteCount: number): void {
    this.#tail += byteCount
  }

  /**
   * The next whole frame, or undefined until more bytes arrive.
   *
   * @throws {WireError} type, flags, sequence or checksum are wrong
   * @throws {LimitError} `WIRE_FRAME_LENGTH`: longer than its type allows
   */
  next(): Frame | undefined {
    for (;;) {
      if (!this.#skipped()) return undefined
      const available = this.#tail - this.#head
      if (available < FRAME_HEADER_BYTES) return undefined
      const head = this.#head
      const type = this.#view.getUint16(head + FRAME.type, true)
      const length = this.#view.getUint32(head + FRAME.length, true)
      const known = this.#checkHeader(type, length, head)
      if (!known) {
        this.#sequence = (this.#sequence + 1) >>> 0
        this.#head += FRAME_HEADER_BYTES
        this.#skipBytes = length
        continue
      }
      if (available < FRAME_HEADER_BYTES + length) return undefined
      const start = head + FRAME_HEADER_BYTES
      this.#checkChecksum(type, head, start, length)
      this.#sequence = (this.#sequence + 1) >>> 0
      this.#head = start + length
      return { type: type as FrameType, body: this.#buffer.subarray(start, start + length) }
    }
  }

  /** @returns false for an optional frame that is to be skipped */
  #checkHeader(type: number, length: number, head: number): boolean {
    const rule = frameRule(type)
    if (rule === undefined && (type & OPTIONAL_BIT) === 0) {
      throw new WireError('WIRE_FRAME_TYPE', `Frame type 0x${type.toString(16)} is not known`)
    }
    if (rule !== undefined && !rule.channels.includes(this.#role)) {
      throw new WireError('WIRE_FRAME_TYPE', `A ${rule.name} frame does not belong on this channel`)
    }
    const maximum = rule?.bodyBytesMax ?? OPTIONAL_BODY_BYTES_MAX
    if (length > maximum) {
      throw new LimitError(
        'WIRE_FRAME_LENGTH',
        `A ${rule?.name ?? 'optional'} frame of ${length} bytes passes the limit of ${maximum}`,
        { limit: 'bodyBytesMax', value: length, maximum },
      )
    }
    if (this.#view.getUint16(head + FRAME.flags, true) !== 0) {
      throw new WireError('WIRE_FLAGS', 'Reserved frame flags are set')
    }
    const sequence = this.#view.getUint32(head + FRAME.sequence, true)
    if (sequence !== this.#sequence) {
      throw new WireError(
        'WIRE_SEQUENCE',
        `Frame ${sequence} arrived where ${this.#sequence} was expected`,
      )
    }
    if (length > TABLE_BODY_BYTES_MAX && type !== FrameType.Pages) this.#admit?.(length)
    return rule !== undefined
  }

  #checkChecksum(type: number, head: number, start: number, length: number): void {
    const covered = coveredBytes(type, this.#view, start, length)
    const crc = crc32(
      this.#buffer,
      crc32(this.#buffer, 0, head, head + FRAME.checksum),
      start,
      start + covered,
    )
    if (crc !== this.#view.getUint32(head + FRAME.checksum, true)) {
      throw new WireError('WIRE_CHECKSUM', 'A frame arrived damaged: its checksum does not match')
    }
  }

  /** Throws away what is left of an optional frame. @returns whether all of it is gone */
  #skipped(): boolean {
    const dropped = Math.min(this.#skipBytes, this.#tail - this.#head)
    this.#head += dropped
    this.#skipBytes -= dropped
    return this.#skipBytes === 0
  }

  /**
   * Doubles the buffer: a legal frame is longer than it. Only ever called when the buffer is full
   * of received bytes, so a peer makes us hold at most twice what it really sent.
   */
  #grow(): void {
    const grown = new Uint8Array(this.#buffer.length * 2)
    grown.set(this.#buffer)
    this.#buffer = grown
    this.#view = viewOf(grown)
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** How many bytes of a body the frame's checksum covers. */
export function coveredBytes(type: number, view: DataView, start: number, length: number): number {
  if (type !== FrameType.Pages) return length
  if (length < BATCH_HEADER_BYTES) return 0
  const entryCount = view.getUint16(start + BATCH.entryCount, true)
  return Math.min(length, BATCH_HEADER_BYTES + entryCount * ENTRY_BYTES)
}
