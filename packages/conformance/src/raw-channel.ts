/**
 * One connection, spoken by hand: any bytes go out, and whatever comes is cut into prefaces and
 * frames and held against what the specification says of both.
 *
 * @module
 */
import type { Socket } from 'node:net'
import { crc32 } from '@godwit/core'
import type { Message, MessageName, Preface } from '@godwit/wire'
import {
  ChannelRole,
  FRAME,
  FRAME_HEADER_BYTES,
  FrameType,
  OPTIONAL_BIT,
  PREFACE_BYTES,
  coveredBytes,
  decodeMessage,
  decodePreface,
  encodeMessage,
  encodePreface,
  frameRule,
} from '@godwit/wire'
import { Failure, show } from './failure.ts'
import type { Trace } from './trace.ts'

/** What came on a channel, in order. `end`: the peer sends no more. */
export type Heard =
  | { readonly kind: 'preface'; readonly preface: Preface }
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'pages'; readonly body: Uint8Array }
  | { readonly kind: 'breach'; readonly failure: Failure }
  | { readonly kind: 'end' }

/** What a frame may have wrong. */
export interface FrameFaults {
  readonly flags?: number
  readonly sequence?: number
  readonly checksum?: number
  /** Stated, whatever the body has. */
  readonly length?: number
}

const clauseOfFault: Readonly<Record<string, string>> = {
  WIRE_MAGIC: 'C2.1',
  WIRE_PREFACE: 'C2.1',
  WIRE_BODY: 'C4.1',
}

/** Either end of one connection. */
export class RawChannel {
  /** Where the peer dialled: of its preface, once that came. */
  role: ChannelRole
  name: string
  readonly #socket: Socket
  readonly #trace: Trace
  /** Who is told. */
  tell: (channel: RawChannel, heard: Heard) => void
  #pending: Uint8Array = new Uint8Array(0)
  #hasPreface = false
  #sequenceIn = 0
  #sequenceOut = 0
  #isOver = false
  /** Of everything that came. */
  byteCount = 0

  constructor(
    socket: Socket,
    role: ChannelRole,
    name: string,
    trace: Trace,
    tell: (channel: RawChannel, heard: Heard) => void,
  ) {
    this.#socket = socket
    this.role = role
    this.name = name
    this.#trace = trace
    this.tell = tell
    socket.setNoDelay(true)
    socket.on('data', (bytes: Uint8Array) => this.#received(bytes))
    socket.on('error', () => this.#over())
    socket.on('end', () => this.#over())
    socket.on('close', () => this.#over())
  }

  /** Whether the peer ended the stream. */
  get isOver(): boolean {
    return this.#isOver
  }

  raw(bytes: Uint8Array, what = `${bytes.length} bytes`): this {
    this.#trace.sent(this.name, what)
    this.#socket.write(bytes)
    return this
  }

  preface(preface: Preface): this {
    return this.raw(encodePreface(preface), `preface(epoch ${preface.epoch})`)
  }

  /** A legal frame of whatever body. */
  send<Name extends MessageName>(name: Name, body: object): this {
    const bytes = encodeMessage({ name, body } as unknown as Message)
    return this.frame(FrameType[name], bytes, {}, `${name} ${show(body)}`)
  }

  /** Any frame. */
  frame(type: number, body: Uint8Array, faults: FrameFaults = {}, what?: string): this {
    const bytes = this.encode(type, body, faults)
    const wrong = Object.keys(faults).length > 0 ? ` with ${show(faults)}` : ''
    return this.raw(bytes, what ?? `frame 0x${type.toString(16)} of ${body.length} bytes${wrong}`)
  }

  /** The next frame as bytes, for a case that sends it in parts. */
  encode(type: number, body: Uint8Array, faults: FrameFaults = {}): Uint8Array {
    const bytes = new Uint8Array(FRAME_HEADER_BYTES + body.length)
    const view = new DataView(bytes.buffer)
    bytes.set(body, FRAME_HEADER_BYTES)
    view.setUint16(FRAME.type, type, true)
    view.setUint16(FRAME.flags, faults.flags ?? 0, true)
    view.setUint32(FRAME.length, faults.length ?? body.length, true)
    view.setUint32(FRAME.sequence, faults.sequence ?? this.#sequenceOut, true)
    this.#sequenceOut = (this.#sequenceOut + 1) >>> 0
    const covered = coveredBytes(type, view, FRAME_HEADER_BYTES, body.length)
    const crc = crc32(
      bytes,
      crc32(bytes, 0, 0, FRAME.checksum),
      FRAME_HEADER_BYTES,
      FRAME_HEADER_BYTES + covered,
    )
    view.setUint32(FRAME.checksum, faults.checksum ?? crc, true)
    return bytes
  }

  /** Ends this direction; the other one stays. */
  end(): void {
    this.#trace.sent(this.name, 'end of stream')
    this.#socket.end()
  }

  /** As a network does that is gone. */
  destroy(): void {
    this.#socket.destroy()
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#trace.came(this.name, 'end of stream')
    this.tell(this, { kind: 'end' })
  }

  #received(bytes: Uint8Array): void {
    if (this.#isOver) return
    this.byteCount += bytes.length
    const joined = new Uint8Array(this.#pending.length + bytes.length)
    joined.set(this.#pending)
    joined.set(bytes, this.#pending.length)
    this.#pending = joined
    try {
      for (;;) {
        const heard = this.#hasPreface ? this.#nextFrame() : this.#nextPreface()
        if (heard === undefined) return
        if (heard !== 'skipped') this.tell(this, heard)
      }
    } catch (thrown) {
      const failure = thrown instanceof Failure ? thrown : breachOf(thrown)
      this.#trace.came(this.name, `something that is not right: ${failure.message}`)
      this.tell(this, { kind: 'breach', failure })
      this.destroy()
    }
  }

  #nextPreface(): Heard | undefined {
    const preface = decodePreface(this.#pending.subarray(0, PREFACE_BYTES))
    if (preface === undefined) return undefined
    this.#hasPreface = true
    this.role = preface.role
    this.#pending = this.#pending.slice(PREFACE_BYTES)
    this.#trace.came(this.name, `preface(epoch ${preface.epoch})`)
    return { kind: 'preface', preface }
  }

  #nextFrame(): Heard | 'skipped' | undefined {
    const bytes = this.#pending
    if (bytes.length < FRAME_HEADER_BYTES) return undefined
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    const type = view.getUint16(FRAME.type, true)
    const length = view.getUint32(FRAME.length, true)
    this.#checkHeader(view, type, length)
    const end = FRAME_HEADER_BYTES + length
    if (bytes.length < end) return undefined
    this.#sequenceIn = (this.#sequenceIn + 1) >>> 0
    this.#pending = bytes.slice(end)
    const rule = frameRule(type)
    if (rule === undefined) return 'skipped'
    checkChecksum(bytes, view, type, length)
    const body = bytes.slice(FRAME_HEADER_BYTES, end)
    if (rule.name === 'Pages') {
      this.#trace.came(this.name, `Pages of ${length} bytes`)
      return { kind: 'pages', body }
    }
    const message = decodeMessage(type, body)
    this.#trace.came(this.name, `${message.name} ${show(message.body)}`)
    return { kind: 'message', message }
  }

  #checkHeader(view: DataView, type: number, length: number): void {
    const rule = frameRule(type)
    const shown = `type 0x${type.toString(16)} on ${this.name}`
    if (rule === undefined && (type & OPTIONAL_BIT) === 0) {
      throw new Failure('C3.3', 'a known frame type', shown)
    }
    if (rule !== undefined && !rule.channels.includes(this.role)) {
      throw new Failure('C3.4', 'a frame of this channel', shown)
    }
    const maximum = rule?.bodyBytesMax ?? 65536
    if (length > maximum) throw new Failure('C3.5', `at most ${maximum} bytes`, `${length}`)
    const flags = view.getUint16(FRAME.flags, true)
    if (flags !== 0) throw new Failure('C3.6', 'flags 0', `${flags}`)
    const sequence = view.getUint32(FRAME.sequence, true)
    if (sequence === this.#sequenceIn) return
    throw new Failure('C3.7', `sequence ${this.#sequenceIn}`, `${sequence}`)
  }
}

function checkChecksum(bytes: Uint8Array, view: DataView, type: number, length: number): void {
  const covered = coveredBytes(type, view, FRAME_HEADER_BYTES, length)
  const from = FRAME_HEADER_BYTES
  const crc = crc32(bytes, crc32(bytes, 0, 0, FRAME.checksum), from, from + covered)
  const stated = view.getUint32(FRAME.checksum, true)
  if (crc !== stated) throw new Failure('C3.2', `checksum ${crc}`, `${stated}`)
}

function breachOf(thrown: unknown): Failure {
  const { code = 'INTERNAL', message = '' } = thrown as { code?: string; message?: string }
  return new Failure(clauseOfFault[code], 'what the specification describes', message)
}
