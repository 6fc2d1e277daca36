/**
 * A channel whose writes wait until they are let through.
 *
 * @module
 */
import type { Channel, ChannelSink } from '@godwit/core'

/** Lets as many writes pass as it is told to, and keeps the others. */
export class HeldChannel implements Channel {
  #allowed = Infinity
  readonly #inner: Channel
  readonly #isSilent: boolean
  readonly #kept: { readonly bytes: Uint8Array; readonly written: (() => void) | undefined }[] = []

  /** @param isSilent - whether the writer hears only then that something was written */
  constructor(inner: Channel, isSilent = false) {
    this.#inner = inner
    this.#isSilent = isSilent
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

  open(sink: ChannelSink): void {
    this.#inner.open(sink)
  }

  hold(): void {
    this.#allowed = 0
  }

  /** Lets so many more pass. */
  allow(writes: number): void {
    this.#allowed += writes
    while (this.#kept.length > 0 && this.#allowed > 0) {
      const { bytes, written } = this.#kept.shift()!
      this.#pass(bytes, written)
    }
  }

  write(bytes: Uint8Array, written?: () => void): void {
    if (this.#allowed > 0) return this.#pass(bytes, written)
    if (this.#isSilent) {
      this.#kept.push({ bytes, written })
      return
    }
    this.#kept.push({ bytes: bytes.slice(), written: undefined })
    if (written !== undefined) queueMicrotask(written)
  }

  #pass(bytes: Uint8Array, written: (() => void) | undefined): void {
    this.#allowed--
    this.#inner.write(bytes, written)
  }

  end(): void {
    this.#inner.end()
  }

  destroy(): void {
    this.#inner.destroy()
  }
}
