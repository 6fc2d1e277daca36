/**
 * A channel that breaks where the test wants it to.
 *
 * @module
 */
import { type Channel, type ChannelSink, TransportError } from '@godwit/core'

export interface Faults {
  /** Cuts the connection once this many payload bytes were written; the rest is lost. */
  readonly cutAfterWritten?: number
  /** Cuts the connection once this many payload bytes were read; the rest is lost. */
  readonly cutAfterRead?: number
}

/** Wraps `inner`, which it owns; this side sees a cut as `CONNECTION_LOST`. */
export class FaultyChannel implements Channel {
  readonly #inner: Channel
  #writableBytes: number
  #readableBytes: number
  #isCut = false

  constructor(inner: Channel, faults: Faults) {
    this.#inner = inner
    this.#writableBytes = faults.cutAfterWritten ?? Number.POSITIVE_INFINITY
    this.#readableBytes = faults.cutAfterRead ?? Number.POSITIVE_INFINITY
  }

  get remote(): string {
    return this.#inner.remote
  }

  get bytesWritten(): number {
    return this.#inner.bytesWritten
  }

  get bytesRead(): number {
    return this.#inner.bytesRead
  }

  /** Whether the fault happened. */
  get isCut(): boolean {
    return this.#isCut
  }

  open(sink: ChannelSink): void {
    if (this.#readableBytes <= 0) this.#cut()
    this.#inner.open({
      space: () => {
        const space = sink.space()
        return space.length > this.#readableBytes ? space.subarray(0, this.#readableBytes) : space
      },
      received: (byteCount) => {
        this.#readableBytes -= byteCount
        // The cut comes first: an answer to the last bytes must not leave any more.
        if (this.#readableBytes <= 0) this.#cut()
        sink.received(byteCount)
      },
      closed: (error) => sink.closed(this.#isCut ? cutError(this.remote) : error),
    })
  }

  write(bytes: Uint8Array, written?: () => void): void {
    if (this.#writableBytes <= 0) return
    this.#writableBytes -= bytes.length
    if (this.#writableBytes > 0) {
      this.#inner.write(bytes, written)
      return
    }
    const passedBytes = bytes.length + this.#writableBytes
    this.#inner.write(bytes.subarray(0, passedBytes), () => this.#cut())
  }

  end(): void {
    this.#inner.end()
  }

  destroy(): void {
    this.#inner.destroy()
  }

  #cut(): void {
    this.#isCut = true
    this.#inner.destroy()
  }
}

function cutError(remote: string): TransportError {
  return new TransportError('CONNECTION_LOST', `The connection to ${remote} was cut by the test`)
}
