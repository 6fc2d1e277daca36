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
