/**
 * A channel whose bytes are seen by a recorder, both ways, as its user and its peer see them.
 *
 * Made where a link is given its channel: whatever encrypts is below, and so are its keys. It
 * cannot be given to another thread: all channels of a capture are on the calling thread.
 *
 * @module
 */
import type { Channel, ChannelSink, TransportError } from '@godwit/core'
import type { Side } from './layout.ts'
import { DROPPED } from './layout.ts'
import type { Recorder } from './recorder.ts'

const peers = { source: 'destination', destination: 'source' } as const

/** Wraps `inner`, which it owns. */
export class CapturedChannel implements Channel {
  readonly remote: string
  readonly #inner: Channel
  readonly #recorder: Recorder
  readonly #side: Side
  readonly #number: number
  #isOver = false

  constructor(inner: Channel, recorder: Recorder, side: Side) {
    this.remote = inner.remote
    this.#inner = inner
    this.#recorder = recorder
    this.#side = side
    this.#number = recorder.opened(inner.remote)
  }

  get bytesWritten(): number {
    return this.#inner.bytesWritten
  }

  get bytesRead(): number {
    return this.#inner.bytesRead
  }

  get secret(): Uint8Array | undefined {
    return this.#inner.secret
  }

  get identity(): string | undefined {
    return this.#inner.identity
  }

  open(sink: ChannelSink): void {
    let space: Uint8Array = new Uint8Array(0)
    this.#inner.open({
      space: () => (space = sink.space()),
      received: (byteCount) => {
        const bytes = space.subarray(0, byteCount)
        if (!this.#isOver) this.#recorder.bytes(this.#number, peers[this.#side], bytes)
        sink.received(byteCount)
      },
      closed: (error?: TransportError) => {
        this.#close(error?.code ?? '')
        sink.closed(error)
      },
    })
  }

  write(bytes: Uint8Array, written?: () => void): void {
    if (!this.#isOver) this.#recorder.bytes(this.#number, this.#side, bytes)
    this.#inner.write(bytes, written)
  }

  end(): void {
    this.#inner.end()
  }

  destroy(): void {
    this.#close(DROPPED)
    this.#inner.destroy()
  }

  #close(reason: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#recorder.closed(this.#number, reason)
  }
}
