/**
 * The reading half that all channels share.
 *
 * @module
 */
import type { ChannelSink } from './channel.ts'
import type { TransportError } from './errors.ts'

/** Where bytes go that nobody wants any more. */
const discarded = new Uint8Array(64 * 1024)

/** Copies what arrives to the sink of the moment and ends every sink exactly once. */
export class SinkFeed {
  #sink: ChannelSink | undefined
  #isStopped = false
  #hasEnded = false
  #error: TransportError | undefined

  /** No byte is delivered any more: the channel was destroyed or has ended. */
  get isStopped(): boolean {
    return this.#isStopped
  }

  /** Who gets what arrives now. */
  get sink(): ChannelSink | undefined {
    return this.#sink
  }

  /** Sends what follows to `sink`; a sink that comes after the end is told so, asynchronously. */
  open(sink: ChannelSink): void {
    this.#sink = sink
    if (this.#hasEnded) queueMicrotask(() => sink.closed(this.#error))
  }

  /**
   * Delivers `chunk` (borrowed for the call), in pieces as large as the sink has room. Each piece
   * may change the sink or stop the feed.
   *
   * @returns the number of bytes delivered: less than all only when stopped
   */
  deliver(chunk: Uint8Array): number {
    let offset = 0
    while (offset < chunk.length && !this.#isStopped) {
      const sink = this.#sink!
      const space = sink.space()
      const byteCount = Math.min(space.length, chunk.length - offset)
      if (byteCount === 0) throw new Error('a sink must have room for at least one byte')
      space.set(chunk.subarray(offset, offset + byteCount))
      offset += byteCount
      sink.received(byteCount)
    }
    return offset
  }

  /** Room for bytes that are read without {@link deliver}; of no account once stopped. */
  space(): Uint8Array {
    return this.#isStopped ? discarded : this.#sink!.space()
  }

  /** `byteCount` bytes were read to the start of {@link space}. */
  received(byteCount: number): void {
    if (!this.#isStopped) this.#sink!.received(byteCount)
  }

  /** Delivers nothing from now on; the end itself is told by {@link end}. */
  stop(): void {
    this.#isStopped = true
  }

  /** Tells the sink that the stream ended. Only the first call counts. */
  end(error?: TransportError): void {
    if (this.#hasEnded) return
    this.#isStopped = true
    this.#hasEnded = true
    this.#error = error
    this.#sink?.closed(error)
  }
}
