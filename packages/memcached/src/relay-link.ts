/**
 * A connection from a relay, as the service has it: clients by channel (`frame.ts`).
 *
 * @module
 */
import type { Socket } from 'node:net'
import { Channel } from './channel.ts'
import { REPLY_BYTES_HIGH } from './executor.ts'
import type { Floor } from './floor.ts'
import { FrameKind, FrameReader, type FrameTaker } from './frame.ts'
import type { Store } from './store.ts'

/**
 * Bytes that a relay may have sent of clients that take no replies, all together: it stops reading
 * from such a client.
 */
const pendingBytesMax = 1 << 27

/** What is executed for all of them goes out in one write. */
export class RelayLink implements FrameTaker {
  readonly #socket: Socket
  readonly #reader = new FrameReader()
  readonly #channels = new Map<number, Channel>()
  /** Channels that have something to execute, or are at their end. */
  readonly #ready: Channel[] = []
  /** Of all channels. */
  #pendingBytes = 0
  #isHolding = false
  #isBroken = false
  /** Counted in guest memory, and so only while that may be stored to. */
  #uncountedBytes = 0
  #uncountedClients = 0

  constructor(socket: Socket) {
    this.#socket = socket
  }

  get clientCount(): number {
    return this.#channels.size
  }

  /** Takes bytes that came. @returns false where they are not what a relay sends */
  receive(chunk: Uint8Array): boolean {
    return this.#reader.read(chunk, this) && !this.#isBroken
  }

  data(id: number, bytes: Uint8Array): void {
    const channel = this.#open(id)
    this.#uncountedBytes += bytes.length
    if (channel.isOver) return
    const before = channel.pendingBytes
    channel.receive(bytes)
    this.#pendingBytes += channel.pendingBytes - before
    if (this.#pendingBytes > pendingBytesMax) this.#isBroken = true
    this.#makeReady(channel)
  }

  frame(kind: FrameKind, id: number, value: number): boolean {
    if (kind === FrameKind.Hold) this.#isHolding = true
    else if (kind === FrameKind.End) {
      const channel = this.#open(id)
      channel.hasEnded = true
      this.#makeReady(channel)
    } else if (kind === FrameKind.Credit) {
      const channel = this.#channels.get(id)
      channel?.credit(value)
      if (channel?.isBlocked === true) this.#makeReady(channel)
    } else if (kind === FrameKind.Close) {
      const channel = this.#channels.get(id)
      if (channel === undefined || channel.isGone) return false
      if (channel.isOver) this.#channels.delete(id)
      channel.isGone = true
      this.#makeReady(channel)
    } else return false
    return true
  }

  #open(id: number): Channel {
    const known = this.#channels.get(id)
    if (known !== undefined) return known
    const channel = new Channel(id)
    this.#channels.set(id, channel)
    this.#uncountedClients++
    return channel
  }

  #makeReady(channel: Channel): void {
    if (channel.isReady || channel.isOver) return
    channel.isReady = true
    this.#ready.push(channel)
  }

  /** Executes what is complete. @returns false: replies are to be taken before it goes on */
  run(floor: Floor): boolean {
    const { replies } = floor
    const ready = this.#ready
    let isTaken = true
    do {
      this.#count(floor.enter())
      this.#runReady(floor)
      floor.leave()
      if (replies.length > 0) isTaken = replies.writeTo(this.#socket)
    } while (ready.length > 0 && isTaken)
    return isTaken
  }

  #count(store: Store): void {
    if (this.#uncountedClients > 0) store.count('total_connections', this.#uncountedClients)
    if (this.#uncountedBytes > 0) store.count('bytes_read', this.#uncountedBytes)
    this.#uncountedClients = 0
    this.#uncountedBytes = 0
  }

  /** Those that are ready, until replies are to be written first; then they stay ready. */
  #runReady(floor: Floor): void {
    const ready = this.#ready
    let done = 0
    while (done < ready.length && this.#runOne(floor, ready[done]!)) done++
    if (done < ready.length) return void ready.splice(0, done)
    ready.length = 0
    if (!this.#isHolding || this.#isAnyBlocked()) return
    this.#isHolding = false
    floor.replies.addFrame({ kind: FrameKind.Held, channel: 0, value: 0 })
  }

  /** @returns false when replies are to be written first */
  #runOne(floor: Floor, channel: Channel): boolean {
    const { replies } = floor
    const before = replies.length
    const pendingBefore = channel.pendingBytes
    const turn = channel.run(floor)
    this.#pendingBytes += channel.pendingBytes - pendingBefore
    if (turn === 'full' && (!channel.isGone || before >= REPLY_BYTES_HIGH)) return false
    // Of a client that is gone, what it said before is executed; nobody is told.
    if (channel.isGone) replies.cut(before)
    channel.isReady = false
    const isAtEnd = turn === 'over' || (channel.hasEnded && !channel.isBlocked)
    if (!isAtEnd && !channel.isGone) return true
    channel.isOver = true
    this.#pendingBytes -= channel.pendingBytes
    if (channel.isGone) this.#channels.delete(channel.id)
    replies.addFrame({ kind: FrameKind.Close, channel: channel.id, value: 0 })
    return true
  }

  #isAnyBlocked(): boolean {
    for (const channel of this.#channels.values()) if (channel.isBlocked) return true
    return false
  }
}
