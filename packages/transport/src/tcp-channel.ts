/**
 * A channel that is a TCP connection, byte for byte.
 *
 * @module
 */
import { Socket, type SocketConstructorOpts } from 'node:net'
import type { Channel, ChannelSink, DetachedChannel, TransportError } from '@godwit/core'
import { LateSink, SinkFeed, concatBytes, releaseChunk } from '@godwit/core'
import { toDirectSocket } from './direct-socket.ts'
import { connectionLost, toTransportError } from './transport-error.ts'

/** What another channel did with a connection before it was detached. */
type ReadBefore = Pick<DetachedChannel, 'early' | 'bytesWritten' | 'bytesRead'>

const nothingBefore: ReadBefore = { early: new Uint8Array(0), bytesWritten: 0, bytesRead: 0 }

/**
 * Takes over a connected socket that does not flow yet (paused, or without a `data` listener).
 *
 * Reads go straight into the sink's memory where Node can do that, else by `data` events and a
 * copy.
 */
export class TcpChannel implements Channel {
  readonly remote: string
  readonly #address: string
  readonly #feed: SinkFeed = new SinkFeed()
  readonly #before: ReadBefore
  #socket: Socket
  #isDirect = false
  #isDetached = false
  #error: TransportError | undefined

  /**
   * @param address `HOST:PORT` of the other end, for texts
   * @param before - what another channel did with the same connection
   */
  constructor(socket: Socket, address: string, before: ReadBefore = nothingBefore) {
    this.remote = `tcp ${address}`
    this.#address = address
    this.#socket = socket
    this.#before = before
    socket.setNoDelay(true)
    this.#listen(socket)
  }

  #listen(socket: Socket): void {
    socket.on('error', (error) => {
      this.#error ??= toTransportError(error, this.#address)
    })
    socket.on('close', () => {
      // Without an error, only a stream that was read to its end is complete.
      const isClean = this.#feed.isStopped || (this.#error === undefined && socket.readableEnded)
      this.#feed.end(isClean ? undefined : (this.#error ?? connectionLost(this.#address)))
    })
  }

  get bytesWritten(): number {
    return this.#before.bytesWritten + this.#socket.bytesWritten
  }

  get bytesRead(): number {
    return this.#before.bytesRead + this.#socket.bytesRead
  }

  open(sink: ChannelSink): void {
    const isFirst = this.#feed.sink === undefined
    this.#feed.open(sink)
    if (isFirst && !this.#openDirect()) this.#openByEvents()
  }

  #openDirect(): boolean {
    const accepted = this.#socket
    const direct = toDirectSocket(accepted, this.#feed)
    if (direct === undefined) return false
    const { socket, early } = direct
    this.#socket = socket
    this.#isDirect = true
    this.#listen(socket)
    socket.on('close', () => accepted.destroy())
    this.#feed.deliver(this.#before.early)
    if (early !== undefined) this.#feed.deliver(early)
    // Whoever got these bytes may have given the connection away.
    if (!this.#isDetached) socket.resume()
    return true
  }

  #openByEvents(): void {
    this.#feed.deliver(this.#before.early)
    this.#socket.on('data', (chunk: Buffer) => {
      this.#feed.deliver(chunk)
      releaseChunk(chunk)
    })
    this.#socket.resume()
  }

  write(bytes: Uint8Array, written?: () => void): void {
    if (!this.#socket.writable) return
    if (written === undefined) {
      this.#socket.write(bytes)
      return
    }
    this.#socket.write(bytes, (error) => {
      const isDropped = error !== undefined && error !== null
      if (!isDropped && !this.#feed.isStopped) written()
    })
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#feed.stop()
    this.#socket.destroy()
  }

  get detach(): Channel['detach'] {
    // A socket that reads by events keeps bytes of its own, which would be left behind.
    const canDetach = this.#isDirect && !this.#isDetached && descriptorOf(this.#socket) >= 0
    return canDetach ? (duplicate, unread) => this.#detach(duplicate, unread) : undefined
  }

  async #detach(
    duplicate: (descriptor: number) => number,
    unread: Uint8Array = new Uint8Array(0),
  ): Promise<DetachedChannel> {
    const late = new LateSink()
    this.#isDetached = true
    this.#feed.open(late)
    this.#socket.pause()
    try {
      // The rest of a chunk that is being delivered comes before any microtask.
      await Promise.resolve()
      const descriptor = descriptorOf(this.#socket)
      if (descriptor < 0) throw this.#error ?? connectionLost(this.#address)
      const { remote, bytesWritten, bytesRead } = this
      return {
        descriptor: duplicate(descriptor),
        early: concatBytes(unread, late.bytes),
        remote,
        bytesWritten,
        bytesRead,
      }
    } finally {
      this.destroy()
    }
  }
}

/** Node's descriptor of a socket, in a field that it does not document; -1 where there is none. */
function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { _handle?: { readonly fd?: unknown } | null }
  return typeof handle?.fd === 'number' ? handle.fd : -1
}

/** The channel of a connection that was detached, on whatever thread: it owns the descriptor. */
export function attachChannel(detached: DetachedChannel): Channel {
  const { descriptor, remote } = detached
  const socket = new Socket({ fd: descriptor, pauseOnCreate: true } as SocketConstructorOpts)
  return new TcpChannel(socket, remote.replace(/^tcp /, ''), detached)
}
