/**
 * Byte streams between agents. Several transports implement these interfaces and pass one
 * compliance suite (`testkit`).
 *
 * @module
 */
import type { TransportError } from './errors.ts'

/** Where a channel puts what it receives: the reader's own memory, no reassembly in between. */
export interface ChannelSink {
  /** Free space of at least one byte, valid until the next call of {@link received}. */
  space(): Uint8Array
  /** `byteCount` bytes were written to the start of the last {@link space}. */
  received(byteCount: number): void
  /** The stream ended: cleanly when `error` is undefined. Called exactly once, and last. */
  closed(error?: TransportError): void
}

/** How a sealed channel goes on; whoever has it can read and write in its name. */
export interface SealState {
  /** Opened already, and not handed to a sink. */
  readonly opened: Uint8Array
  readonly sendKey: Uint8Array
  readonly receiveKey: Uint8Array
  /** Records so far. */
  readonly sentRecords: number
  readonly receivedRecords: number
}

/** A connection on its way to another thread, as plain values. */
export interface DetachedChannel {
  /** The connection's own; whoever has it must attach or close it. */
  readonly descriptor: number
  /** What was read and not handed to a sink. */
  readonly early: Uint8Array
  /** As {@link Channel.remote}. */
  readonly remote: string
  /** As {@link Channel.bytesWritten}, so far. */
  readonly bytesWritten: number
  /** As {@link Channel.bytesRead}, so far: {@link early} is counted. */
  readonly bytesRead: number
  /** Where what goes by it is sealed; {@link early} is, too. */
  readonly seal?: SealState
}

/** One ordered, reliable, full-duplex byte stream. */
export interface Channel {
  /** For people: `tcp 127.0.0.1:7000`. */
  readonly remote: string
  /** Every byte this side wrote to the socket, the transport's own framing included. */
  readonly bytesWritten: number
  /** Every byte this side read from the socket, the transport's own framing included. */
  readonly bytesRead: number
  /**
   * Starts reading into `sink`; nothing is read (nor lost) before. May be called again to hand the
   * stream to another reader: the bytes that follow go to the new sink.
   */
  open(sink: ChannelSink): void
  /**
   * Queues `bytes`. They are borrowed until `written` is called and must not change before.
   * After the channel closed `written` is never called and the bytes are dropped.
   */
  write(bytes: Uint8Array, written?: () => void): void
  /** Flushes what was queued, then closes this side's direction. */
  end(): void
  /** Drops the connection at once. Idempotent. */
  destroy(): void
  /** What only its two ends know, where they have proved who they are: 32 bytes. */
  readonly secret?: Uint8Array | undefined
  /** Whom a certificate names at the other end. */
  readonly identity?: string | undefined
  /**
   * Gives the connection away, by a descriptor that `duplicate` makes of this channel's own.
   * Nothing may have been written before that the other side has not answered to. Bytes that arrive
   * from now on are not handed to the sink, which hears nothing any more, not even of the end.
   * Absent where it cannot be done.
   *
   * `unread`, which the sink was handed already, comes first for whoever takes it over.
   *
   * Rejects when the connection is lost or `duplicate` throws; the channel is gone then, too.
   */
  readonly detach?:
    | ((duplicate: (descriptor: number) => number, unread?: Uint8Array) => Promise<DetachedChannel>)
    | undefined
  /** Whether channels beside it can be detached although it cannot: it is TLS, they are TCP. */
  readonly detachesBeside?: boolean
}

/** Opens channels to one destination. Every channel is dialled by the source. */
export interface Dialler {
  readonly address: string
  /** Whether it is an address of this very machine; somebody there may pass on what comes. */
  readonly isLoopback?: boolean
  /** @throws {TransportError} within the connect deadline */
  dial(signal?: AbortSignal): Promise<Channel>
}

/** Accepts channels; one listener may speak several transports on one port. */
export interface Listener {
  /** `HOST:PORT` with the port really bound. */
  readonly address: string
  /** Stops accepting; channels already handed out live on. */
  close(): Promise<void>
}
