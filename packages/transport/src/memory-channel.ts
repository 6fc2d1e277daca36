/**
 * Two channels joined inside one process: the transport without a network.
 *
 * @module
 */
import { type Channel, type ChannelSink, MIB, SinkFeed } from '@godwit/core'
import { connectionLost } from './transport-error.ts'

/** Bytes one side may have queued; more means that a writer does not wait for `written`. */
export const MEMORY_QUEUE_BYTES_MAX: number = 256 * MIB

interface QueuedWrite {
  readonly bytes: Uint8Array
  readonly written: (() => void) | undefined
}

/**
 * One end of a pair. Bytes are copied into the other side's sink in a later turn of the event loop,
 * and only then is `written` called. As with TCP, a side whose peer ended flushes and ends too.
 */
export class MemoryChannel implements Channel {
  readonly remote: string
  bytesWritten = 0
  bytesRead = 0
  readonly #feed: SinkFeed = new SinkFeed()
  readonly #queue: QueuedWrite[] = []
  #peer: MemoryChannel | undefined
  #queuedBytes = 0
  #isPumpDue = false
  #isEnding = false
  #hasEnded = false

  constructor(remote: string) {
    this.remote = remote
  }

  /** Joins two fresh ends. */
  static join(a: MemoryChannel, b: MemoryChannel): void {
    a.#peer = b
    b.#peer = a
  }

  open(sink: ChannelSink): void {
    this.#feed.open(sink)
    this.#peer!.#schedule()
  }

  write(bytes: Uint8Array, written?: () => void): void {
    if (this.#isEnding || this.#feed.isStopped) return
    this.#queuedBytes += bytes.length
    if (this.#queuedBytes > MEMORY_QUEUE_BYTES_MAX) {
      throw new Error(`more than ${MEMORY_QUEUE_BYTES_MAX} bytes queued without waiting`)
    }
    this.bytesWritten += bytes.length
    this.#queue.push({ bytes, written })
    this.#schedule()
  }

  end(): void {
    this.#isEnding = true
    this.#schedule()
  }

  destroy(): void {
    if (this.#feed.isStopped) return
    this.#feed.stop()
    this.#queue.length = 0
    const peer = this.#peer!
    setImmediate(() => {
      this.#feed.end()
      peer.#feed.end(connectionLost(peer.remote))
    })
  }

  #schedule(): void {
    if (this.#isPumpDue || this.#feed.isStopped) return
    this.#isPumpDue = true
    setImmediate(() => {
      this.#isPumpDue = false
      this.#pump()
    })
  }

  /** Delivers what was queued when the turn began; what its callbacks queue waits for the next. */
  #pump(): void {
    const peer = this.#peer!
    // A side that never opened must not keep the other from finishing its own end.
    const isReplyToEnd = peer.#hasEnded && this.#queue.length === 0
    if (peer.#feed.sink === undefined && !isReplyToEnd) return
    for (const { bytes, written } of this.#queue.splice(0)) {
      const byteCount = this.#feed.isStopped ? 0 : peer.#feed.deliver(bytes)
      peer.bytesRead += byteCount
      this.#queuedBytes -= bytes.length
      if (this.#feed.isStopped || peer.#feed.isStopped) return
      written?.()
    }
    if (this.#isEnding && this.#queue.length === 0) this.#finish()
  }

  #finish(): void {
    const peer = this.#peer!
    this.#hasEnded = true
    if (!peer.#hasEnded) {
      peer.end()
      return
    }
    this.#feed.end()
    peer.#feed.end()
  }
}

/** Two ends of one stream; both are open for writing at once. */
export function createChannelPair(name = 'pair'): [Channel, Channel] {
  const a = new MemoryChannel(`memory ${name}`)
  const b = new MemoryChannel(`memory ${name}`)
  MemoryChannel.join(a, b)
  return [a, b]
}
