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
  /**
   * Gives the connection away, by a descriptor that `duplicate` makes of this channel's own.
   * Nothing may have been written before. Bytes that arrive from now on are not handed to the sink,
   * which hears nothing any more, not even of the end. Absent where it cannot be done.
   *
   * Rejects when the connection is lost or `duplicate` throws; the channel is gone then, too.
   */
  readonly detach?:
    | ((duplicate: (descriptor: number) => number) => Promise<DetachedChannel>)
    | undefined
}

/** Opens channels to one destination. Every channel is dialled by the source. */
export interface Dialler {
  readonly address: string
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
