/**
 * A link over a channel that the test delivers to, by a clock that it moves.
 */
import type {
  Channel,
  ChannelSink,
  Clock,
  DetachedChannel,
  GodwitError,
  TransportError,
} from '@godwit/core'
import type { Frame, FrameWriter, Message, Preface } from '@godwit/wire'
import {
  ChannelRole,
  FRAME_HEADER_BYTES,
  FrameType,
  PREFACE_BYTES,
  decodeMessage,
} from '@godwit/wire'
import type { LinkHandler } from '../src/link.ts'
import { Link } from '../src/link.ts'

/** Time that passes when told to, and can jump past timers as a busy thread does. */
export class ManualClock implements Clock {
  #nowMs = 0
  readonly timers: Set<{ dueMs: number; task: () => void }> = new Set()

  nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, task }
    this.timers.add(timer)
    return () => this.timers.delete(timer)
  }

  soon(task: () => void): void {
    queueMicrotask(task)
  }

  advance(ms: number): void {
    const endMs = this.#nowMs + ms
    for (;;) {
      const due = [...this.timers].filter(({ dueMs }) => dueMs <= endMs)
      const next = due.sort((a, b) => a.dueMs - b.dueMs)[0]
      if (next === undefined) break
      this.timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.task()
    }
    this.#nowMs = endMs
  }

  /** The thread was busy: what was due meanwhile runs late. */
  stall(ms: number): void {
    this.#nowMs += ms
    this.advance(0)
  }
}

/** One end of a wire that nobody delivers but the test. */
export class FakeChannel implements Channel {
  readonly remote = 'fake 1'
  readonly bytesRead = 0
  readonly written: Uint8Array[] = []
  ended = false
  destroyed = false
  #sink: ChannelSink | undefined

  get bytesWritten(): number {
    return this.bytes.length
  }

  /** Everything written so far. */
  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.written))
  }

  open(sink: ChannelSink): void {
    this.#sink = sink
  }

  write(bytes: Uint8Array, written?: () => void): void {
    this.written.push(bytes.slice())
    written?.()
  }

  end(): void {
    this.ended = true
  }

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.#sink?.closed()
  }

  /** What is delivered after this goes to nobody's sink but into `early`. */
  detach = async (
    duplicate: (descriptor: number) => number,
    unread: Uint8Array = new Uint8Array(0),
  ): Promise<DetachedChannel> => {
    const { remote, bytesWritten, bytesRead } = this
    const late = new Uint8Array(100)
    let length = 0
    this.#sink = {
      space: () => late.subarray(length),
      received: (byteCount) => (length += byteCount),
      closed() {},
    }
    await Promise.resolve()
    const early = new Uint8Array([...unread, ...late.subarray(0, length)])
    return { descriptor: duplicate(7), early, remote, bytesWritten, bytesRead }
  }

  /** Bytes of the peer, at most `most` at a time. */
  deliver(bytes: Uint8Array, most: number = bytes.length): void {
    for (let at = 0; at < bytes.length && !this.destroyed; ) {
      const space = this.#sink!.space()
      if (space.length === 0) throw new Error('no space is offered')
      const piece = bytes.subarray(at, at + Math.min(most, space.length))
      space.set(piece)
      at += piece.length
      this.#sink!.received(piece.length)
    }
  }

  close(error?: TransportError): void {
    this.#sink!.closed(error)
  }
}

export const session: Uint8Array = Uint8Array.from({ length: 16 }, (_, i) => i + 1)
export const control: Preface = { role: ChannelRole.Control, index: 0, epoch: 0, session }
export const data: Preface = { role: ChannelRole.Data, index: 3, epoch: 0, session }
export const emptyMap: Uint8Array = Uint8Array.of(0x80)

/** What a link told, in order: prefaces, frames, and how it ended. */
interface Ear {
  readonly heard: string[]
  readonly prefaces: Preface[]
  onFrame: (frame: Frame) => void
}

export interface Setup extends Ear {
  readonly clock: ManualClock
  readonly channel: FakeChannel
  readonly link: Link
}

export function codeOf(error: GodwitError | undefined): string {
  return error === undefined ? 'clean' : error.code
}

export function setUp(onPreface: (preface: Preface, link: Link) => unknown = () => {}): Setup {
  const clock = new ManualClock()
  const channel = new FakeChannel()
  const ear: Ear = { heard: [], prefaces: [], onFrame: () => {} }
  const handler: LinkHandler = {
    frame(frame) {
      ear.heard.push(`frame ${frame.type} of ${frame.body.length}`)
      ear.onFrame(frame)
    },
    closed: (error) => ear.heard.push(`closed ${codeOf(error)}`),
  }
  const link = new Link(
    channel,
    clock,
    (preface, self) => {
      ear.prefaces.push(preface)
      return onPreface(preface, self) === 'detached' ? undefined : handler
    },
    (error) => ear.heard.push(`unopened ${codeOf(error)}`),
  )
  return {
    clock,
    channel,
    link,
    ...ear,
    get onFrame() {
      return ear.onFrame
    },
    set onFrame(task) {
      ear.onFrame = task
    },
  }
}

/** The frames behind a preface that a channel wrote. */
export function messagesIn(bytes: Uint8Array): Message[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const messages: Message[] = []
  for (let at = PREFACE_BYTES; at < bytes.length; ) {
    const length = view.getUint32(at + 4, true)
    const start = at + FRAME_HEADER_BYTES
    messages.push(decodeMessage(view.getUint16(at, true), bytes.subarray(start, start + length)))
    at = start + length
  }
  return messages
}

export const heartbeats = (writer: FrameWriter, count: number): Uint8Array =>
  new Uint8Array(
    Buffer.concat(Array.from({ length: count }, () => writer.frame(FrameType.Heartbeat, emptyMap))),
  )
