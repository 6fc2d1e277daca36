/**
 * A channel that speaks frames: preface first, in both directions, then frames. Used by both agents
 * for both channel roles; knows nothing of what the frames say.
 *
 * @module
 */
import type {
  Channel,
  ChannelSink,
  Clock,
  DetachedChannel,
  GodwitError,
  TransportError,
} from '@godwit/core'
import {
  LimitError,
  MIB,
  PeerError,
  TransportError as LostError,
  WireError,
  toGodwitError,
} from '@godwit/core'
import type { Frame, Message, MessageName, Preface } from '@godwit/wire'
import {
  ChannelRole,
  FrameReader,
  FrameType,
  FrameWriter,
  PREFACE,
  PREFACE_BYTES,
  decodePreface,
  encodeMessage,
  encodePreface,
  errorNumbers,
  FRAME_HEADER_BYTES,
} from '@godwit/wire'

/** A peer that has not sent a whole preface by then is dropped. */
export const PREFACE_DEADLINE_MS = 5000

/** Who gets what arrives after the preface. */
export interface LinkHandler {
  /** Where to read frames to; a buffer of 64 KiB by default. */
  readonly buffer?: Uint8Array
  /** A message of more than 256 KiB comes; may be asked again. What it throws ends the link. */
  admit?(byteCount: number): void
  /** `frame.body` is borrowed for the call. Whatever is thrown ends the link. */
  frame(frame: Frame): void
  /** The link is over: `error` tells why, undefined when the peer closed it cleanly. Once, last. */
  closed(error: GodwitError | undefined): void
}

/** How long a side that closed waits for the other side's end before it drops the connection. */
const LINGER_MS = 2000

/** What may wait for a peer that does not read, beside what is bounded otherwise. */
export const UNSENT_BYTES_MAX: number = 4 * MIB

/** Sent once in a connection, and as long as the guest's state or its table of pages is. */
const boundedOtherwise: ReadonlySet<MessageName> = new Set(['State', 'Discard', 'Lacking'])

/** Where bytes go that come after the end of a link. */
const discarded = new Uint8Array(64 * 1024)

/** One side of one framed channel. */
export class Link implements ChannelSink {
  readonly channel: Channel
  /** Resolves when the channel is closed in both directions and its counters are final. */
  readonly ended: Promise<void>
  readonly #resolveEnded: () => void
  readonly #onPreface: (preface: Preface, link: Link) => LinkHandler | undefined
  readonly #onUnopened: (error: GodwitError | undefined) => void
  readonly #preface = new Uint8Array(PREFACE_BYTES)
  #prefaceLength = 0
  #peer: Preface | undefined
  #reader: FrameReader | undefined
  readonly #writer = new FrameWriter()
  #handler: LinkHandler | undefined
  #closed = false
  #sentPreface = false
  #unsentBytes = 0
  readonly #clock: Clock
  /** The preface deadline, later the linger time. */
  #cancelTimer: () => void

  /**
   * Starts reading at once.
   *
   * @param onPreface - the peer's preface arrived; the handler it returns gets every later frame.
   *   Whatever it throws ends the link. Undefined only when it gave the link away, see
   *   {@link detach}.
   * @param onUnopened - the link ended before its preface
   */
  constructor(
    channel: Channel,
    clock: Clock,
    onPreface: (preface: Preface, link: Link) => LinkHandler | undefined,
    onUnopened: (error: GodwitError | undefined) => void,
    prefaceDeadlineMs: number = PREFACE_DEADLINE_MS,
  ) {
    this.channel = channel
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ended = promise
    this.#resolveEnded = resolve
    this.#onPreface = onPreface
    this.#onUnopened = onUnopened
    this.#clock = clock
    this.#cancelTimer = clock.after(prefaceDeadlineMs, () =>
      this.fail(new LostError('PEER_SILENT', `${channel.remote} did not introduce itself in time`)),
    )
    channel.open(this)
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** Whether this side has introduced itself: nothing may be sent before. */
  get isIntroduced(): boolean {
    return this.#sentPreface
  }

  /** Everything on the wire so far, both ways. */
  get wireBytes(): number {
    return this.channel.bytesWritten + this.channel.bytesRead
  }

  /**
   * Gives the connection away as it came, the peer's preface included: a link that is made of it
   * elsewhere begins from the beginning. For a channel that can be detached, and only while the
   * peer's preface is handled, before anything was sent. This link is over then and tells nobody.
   *
   * Rejects as {@link Channel.detach} does.
   */
  async detach(duplicate: (descriptor: number) => number): Promise<DetachedChannel> {
    this.#closed = true
    this.#cancelTimer()
    try {
      return await this.channel.detach!(duplicate, this.#preface)
    } finally {
      this.#resolveEnded()
    }
  }

  /** The first bytes of this direction. */
  sendPreface(preface: Preface): void {
    if (this.#closed || this.#sentPreface) return
    this.#sentPreface = true
    this.channel.write(encodePreface(preface))
  }

  /** @param written - the transport has taken all of it; not called where the link ends before */
  sendMessage(message: Message, written?: () => void): void {
    if (this.#closed) return
    const frame = this.#writer.frame(FrameType[message.name], encodeMessage(message))
    if (boundedOtherwise.has(message.name)) return this.channel.write(frame, written)
    this.#unsentBytes += frame.length
    this.channel.write(frame, () => {
      this.#unsentBytes -= frame.length
      written?.()
    })
    if (this.#unsentBytes > UNSENT_BYTES_MAX) this.fail(deaf(this.channel, this.#unsentBytes))
  }

  /**
   * Sends a frame that stands in `bytes[frameStart, frameEnd)` with its header still to be written.
   * Borrowed until `written`.
   */
  sendInPlace(
    type: FrameType,
    bytes: Uint8Array,
    frameStart: number,
    frameEnd: number,
    written: () => void,
  ): void {
    if (this.#closed) return
    this.#writer.seal(type, bytes, frameStart, frameEnd - frameStart - FRAME_HEADER_BYTES)
    this.channel.write(bytes.subarray(frameStart, frameEnd), written)
  }

  /** Tells the peer why, flushes, and ends. Nothing more is handed to the handler. */
  refuse(error: GodwitError, preface?: Preface): void {
    if (this.#closed) return
    if (preface !== undefined) this.sendPreface(preface)
    if (this.#sentPreface) this.sendMessage(errorMessage(error))
    this.close()
  }

  /** Flushes what was sent and ends this side; nothing more is handed to the handler. */
  close(): void {
    if (this.#closed) return
    this.#finish()
  }

  /** Ends the link at once and tells the handler. */
  fail(error: GodwitError): void {
    if (this.#closed) return
    this.#closed = true
    this.#cancelTimer()
    this.channel.destroy()
    this.#tellClosed(error)
  }

  space(): Uint8Array {
    if (this.#closed) return discarded
    if (this.#reader !== undefined) return this.#reader.space()
    return this.#preface.subarray(this.#prefaceLength)
  }

  received(byteCount: number): void {
    if (this.#closed) return
    if (this.#reader === undefined) this.#receivedPreface(byteCount)
    else {
      this.#reader.received(byteCount)
      this.#drain(this.#reader)
    }
  }

  closed(error?: TransportError): void {
    this.#cancelTimer()
    this.#resolveEnded()
    if (this.#closed) return
    this.#closed = true
    const pending = this.#reader?.pendingBytes ?? this.#prefaceLength
    const truncated = pending > 0 && (this.#reader !== undefined || pending < PREFACE_BYTES)
    this.#tellClosed(
      error ??
        (truncated
          ? new WireError('WIRE_TRUNCATED', 'The stream ended inside a frame')
          : undefined),
    )
  }

  #tellClosed(error: GodwitError | undefined): void {
    if (this.#handler === undefined) this.#onUnopened(error)
    else this.#handler.closed(error)
  }

  #receivedPreface(byteCount: number): void {
    this.#prefaceLength += byteCount
    try {
      const preface = decodePreface(this.#preface.subarray(0, this.#prefaceLength))
      if (preface === undefined) return
      this.#peer = preface
      this.#cancelTimer()
      this.#handler = this.#onPreface(preface, this)
      if (this.#handler !== undefined) {
        const handler = this.#handler
        const admit = handler.admit && ((byteCount: number) => handler.admit!(byteCount))
        this.#reader = new FrameReader(preface.role, handler.buffer, admit)
      }
    } catch (thrown) {
      this.#end(toGodwitError(thrown))
    }
  }

  #drain(reader: FrameReader): void {
    try {
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
        if (this.#closed) return
        this.#handler!.frame(frame)
      }
    } catch (thrown) {
      this.#end(toGodwitError(thrown))
    }
  }

  /** Our side refuses to go on: the peer is told where it can still listen. */
  #end(error: GodwitError): void {
    if (this.#closed) return
    if (error.code !== 'WIRE_MAGIC' && !(error instanceof PeerError)) {
      const session = this.#preface.slice(PREFACE.session)
      this.sendPreface(this.#peer ?? { role: ChannelRole.Control, index: 0, epoch: 0, session })
      this.sendMessage(errorMessage(error))
    }
    this.#finish()
    this.#tellClosed(error)
  }

  #finish(): void {
    this.#closed = true
    this.#cancelTimer()
    this.channel.end()
    this.#cancelTimer = this.#clock.after(LINGER_MS, () => this.channel.destroy())
  }
}

function deaf({ remote }: Channel, value: number): LimitError {
  const text = `${remote} does not read: ${value} bytes wait for it`
  const facts = { limit: 'unsentBytesMax', value, maximum: UNSENT_BYTES_MAX }
  return new LimitError('LIMIT_EXCEEDED', text, facts)
}

/** The ERROR message that tells a peer of `error`. */
export function errorMessage(error: GodwitError): Message & { name: MessageName & 'Error' } {
  const phase = error.phase === undefined ? {} : { phase: error.phase }
  const text = error.code === 'INTERNAL' ? 'Internal error' : error.message.slice(0, 1024)
  return { name: 'Error', body: { code: errorNumbers[error.code], text, ...phase } }
}
