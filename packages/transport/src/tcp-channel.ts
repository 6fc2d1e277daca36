/**
 * A channel that is a TCP connection, byte for byte.
 *
 * @module
 */
import type { Socket } from 'node:net'
import type { Channel, ChannelSink, TransportError } from '@godwit/core'
import { toDirectSocket } from './direct-socket.ts'
import { releaseChunk } from './release-chunk.ts'
import { SinkFeed } from './sink-feed.ts'
import { connectionLost, toTransportError } from './transport-error.ts'

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
  #socket: Socket
  #error: TransportError | undefined

  /** @param address `HOST:PORT` of the other end, for texts */
  constructor(socket: Socket, address: string) {
    this.remote = `tcp ${address}`
    this.#address = address
    this.#socket = socket
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
    return this.#socket.bytesWritten
  }

  get bytesRead(): number {
    return this.#socket.bytesRead
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
    this.#listen(socket)
    socket.on('close', () => accepted.destroy())
    if (early !== undefined) this.#feed.deliver(early)
    socket.resume()
    return true
  }

  #openByEvents(): void {
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
}
