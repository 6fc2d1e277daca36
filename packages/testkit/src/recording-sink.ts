/**
 * A reader that keeps what it gets.
 *
 * @module
 */
import type { ChannelSink, TransportError } from '@godwit/core'

export interface RecordingSinkOptions {
  /** Room offered at a time; default 64 KiB. */
  readonly spaceBytes?: number
  /** Called after each piece was recorded, with the bytes so far. */
  readonly onReceived?: (totalBytes: number) => void
}

/** Records a stream and how it ended. */
export class RecordingSink implements ChannelSink {
  /** Calls of {@link closed}. */
  closedCount = 0
  /** Calls of {@link received} after {@link closed}: always a fault of the channel. */
  lateCount = 0
  /** Settles at the first {@link closed}, with its error. */
  readonly ended: Promise<TransportError | undefined>
  readonly #space: Uint8Array
  readonly #onReceived: (totalBytes: number) => void
  readonly #pieces: Uint8Array[] = []
  readonly #waiting: { byteCount: number; resolve: () => void }[] = []
  #totalBytes = 0
  #resolveEnded: (error: TransportError | undefined) => void = () => {}

  constructor(options: RecordingSinkOptions = {}) {
    this.#space = new Uint8Array(options.spaceBytes ?? 65536)
    this.#onReceived = options.onReceived ?? (() => {})
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve
    })
  }

  get totalBytes(): number {
    return this.#totalBytes
  }

  /** Everything received so far, as one copy. */
  get bytes(): Uint8Array {
    const joined = new Uint8Array(this.#totalBytes)
    let offset = 0
    for (const piece of this.#pieces) {
      joined.set(piece, offset)
      offset += piece.length
    }
    return joined
  }

  /** Resolves once at least `byteCount` bytes arrived. */
  until(byteCount: number): Promise<void> {
    if (this.#totalBytes >= byteCount) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting.push({ byteCount, resolve })
    })
  }

  space(): Uint8Array {
    return this.#space
  }

  received(byteCount: number): void {
    if (this.closedCount > 0) this.lateCount++
    this.#pieces.push(this.#space.slice(0, byteCount))
    this.#totalBytes += byteCount
    for (const waiting of this.#waiting) {
      if (waiting.byteCount <= this.#totalBytes) waiting.resolve()
    }
    this.#onReceived(this.#totalBytes)
  }

  closed(error?: TransportError): void {
    this.closedCount++
    this.#resolveEnded(error)
  }
}
