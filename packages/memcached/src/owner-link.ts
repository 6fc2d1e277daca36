/**
 * A relay's connection to the owner of the service: all its clients by channel (`frame.ts`).
 *
 * @module
 */
import { connect, type Socket } from 'node:net'
import { hasText } from './ascii.ts'
import { CHANNELS_MAX, FrameKind, FrameReader, type FrameTaker, RELAY_HELLO } from './frame.ts'
import type { Place } from './place.ts'
import { Replies } from './replies.ts'

/** So much goes out before the turn of the event loop is over. */
const outBytesHigh = 1 << 18

/** A client, as the connection to the owner has it. */
export interface LinkedClient {
  /** Replies; a view of memory that stays as it is. */
  told(bytes: Uint8Array): void
  /** The owner has answered all that it will. */
  closed(): void
  /** What was answered and what not cannot be told any more. */
  cut(): void
}

/** What of a connection concerns all clients. */
export interface OwnerLinkEvents {
  /** The owner takes requests slower than they come, or no longer so. */
  full(isFull: boolean): void
}

/** Requests of one turn of the event loop are one write. */
export class OwnerLink implements FrameTaker {
  readonly place: Place
  readonly #socket: Socket
  readonly #events: OwnerLinkEvents
  readonly #reader = new FrameReader()
  readonly #out = new Replies()
  readonly #clients: (LinkedClient | undefined)[] = []
  /** Channels that may be used again. */
  readonly #free: number[] = []
  #hello: Uint8Array | undefined = new Uint8Array(0)
  #isScheduled = false
  #isFull = false
  /** It is of no use any more. */
  isOver = false
  readonly #holds: (() => void)[] = []

  constructor(place: Place, events: OwnerLinkEvents) {
    this.place = place
    this.#events = events
    const socket = connect({ ...place, noDelay: true })
    this.#socket = socket
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('drain', () => this.#setFull(false))
    // The close that follows says all there is to know.
    socket.on('error', () => {})
    socket.on('close', () => this.#end())
    socket.write(RELAY_HELLO)
  }

  /** @returns the channel of a client; undefined where there is none left */
  open(client: LinkedClient): number | undefined {
    const channel = this.#free.pop() ?? this.#clients.length
    if (channel >= CHANNELS_MAX) return undefined
    this.#clients[channel] = client
    return channel
  }

  /** Forwards whole requests; they are copied. */
  forward(channel: number, bytes: Uint8Array): void {
    const at = this.#out.beginFrame()
    this.#out.add(bytes)
    this.#out.endFrame(at, FrameKind.Data, channel)
    this.#schedule()
  }

  /** The client of a channel says no more. */
  end(channel: number): void {
    this.#say(FrameKind.End, channel, 0)
  }

  /** The client of a channel is gone. */
  close(channel: number): void {
    this.#clients[channel] = undefined
    this.#say(FrameKind.Close, channel, 0)
  }

  /** The client of a channel has taken so many bytes. */
  credit(channel: number, bytes: number): void {
    this.#say(FrameKind.Credit, channel, bytes)
  }

  /** Resolves when all that was forwarded is answered, or never will be. Forward no more then. */
  hold(): Promise<void> {
    if (this.isOver) return Promise.resolve()
    this.#say(FrameKind.Hold, 0, 0)
    this.#flush()
    return new Promise((resolve) => this.#holds.push(resolve))
  }

  /** Ends the connection; clients whose channels are open are cut. */
  destroy(): void {
    this.#socket.destroy()
    this.#end()
  }

  /** Ends the connection when all that was forwarded is answered; clients go on without it. */
  leave(): void {
    this.#clients.length = 0
    this.destroy()
  }

  #end(): void {
    if (this.isOver) return
    this.isOver = true
    for (const client of this.#clients.splice(0)) client?.cut()
    for (const resolve of this.#holds.splice(0)) resolve()
    this.#setFull(false)
  }

  #say(kind: FrameKind, channel: number, value: number): void {
    this.#out.addFrame({ kind, channel, value })
    this.#schedule()
  }

  #schedule(): void {
    if (this.#out.length >= outBytesHigh) return this.#flush()
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.isOver || this.#out.length === 0) return
    if (!this.#out.writeTo(this.#socket)) this.#setFull(true)
  }

  #setFull(isFull: boolean): void {
    if (this.#isFull === isFull) return
    this.#isFull = isFull
    this.#events.full(isFull)
  }

  #receive(chunk: Uint8Array): void {
    const rest = this.#hello === undefined ? chunk : this.#greet(this.#hello, chunk)
    if (rest !== undefined && !this.#reader.read(rest, this)) this.destroy()
  }

  /** @returns what follows the owner's hello; undefined when that is not whole, or another */
  #greet(had: Uint8Array, chunk: Uint8Array): Uint8Array | undefined {
    const all = Buffer.concat([had, chunk])
    const count = Math.min(all.length, RELAY_HELLO.length)
    this.#hello = all
    if (!hasText(all, 0, count, RELAY_HELLO.subarray(0, count))) this.destroy()
    if (count < RELAY_HELLO.length || this.isOver) return undefined
    this.#hello = undefined
    return all.subarray(count)
  }

  data(channel: number, bytes: Uint8Array): void {
    this.#clients[channel]?.told(bytes)
  }

  frame(kind: FrameKind, channel: number): boolean {
    if (kind === FrameKind.Held) {
      for (const resolve of this.#holds.splice(0)) resolve()
      return true
    }
    if (kind !== FrameKind.Close || channel >= this.#clients.length) return false
    const client = this.#clients[channel]
    if (client !== undefined) {
      this.close(channel)
      client.closed()
    }
    this.#free.push(channel)
    return true
  }
}
