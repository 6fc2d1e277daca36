/**
 * A channel that leads nowhere, for those who want their code to run before there is a peer.
 *
 * @module
 */
import type { Channel, ChannelSink, Clock } from '@godwit/core'
import { ChannelRole, encodePreface } from '@godwit/wire'
import type { LinkHandler } from './link.ts'
import { Link } from './link.ts'

const preface = { role: ChannelRole.Data, index: 0, epoch: 0, session: new Uint8Array(16) }

/** What is written is forgotten, a turn of the event loop later; what is fed is read. */
export class HollowChannel implements Channel {
  readonly remote = 'nobody'
  bytesWritten = 0
  bytesRead = 0
  readonly #clock: Clock
  readonly #onTaken: (byteCount: number) => void
  #sink: ChannelSink | undefined

  /** @param onTaken - so many bytes were written, and whoever wrote them was told */
  constructor(clock: Clock, onTaken: (byteCount: number) => void = () => {}) {
    this.#clock = clock
    this.#onTaken = onTaken
  }

  open(sink: ChannelSink): void {
    this.#sink = sink
  }

  write(bytes: Uint8Array, written?: () => void): void {
    this.bytesWritten += bytes.length
    if (written === undefined) return
    this.#clock.soon(() => {
      if (this.#sink === undefined) return
      written()
      this.#onTaken(bytes.length)
    })
  }

  /** Delivers `bytes` at once, as if the peer had sent them. */
  feed(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && this.#sink !== undefined; ) {
      const space = this.#sink.space()
      const byteCount = Math.min(space.length, bytes.length - at)
      space.set(bytes.subarray(at, at + byteCount))
      at += byteCount
      this.bytesRead += byteCount
      this.#sink.received(byteCount)
    }
  }

  end(): void {
    this.#sink = undefined
  }

  destroy(): void {
    this.#sink = undefined
  }
}

/** A data channel over `channel`, whose peer has introduced itself already. */
export function openHollow<Handler extends LinkHandler>(
  channel: HollowChannel,
  clock: Clock,
  open: (link: Link) => Handler,
): Handler {
  const opened: Handler[] = []
  const onPreface = (_: unknown, link: Link): Handler => {
    const handler = open(link)
    opened.push(handler)
    return handler
  }
  const link = new Link(channel, clock, onPreface, () => {})
  link.sendPreface(preface)
  channel.feed(encodePreface(preface))
  return opened[0]!
}
