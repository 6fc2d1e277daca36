/**
 * A channel that is a TCP connection, byte for byte.
 *
 * @module
 */
import type { Socket } from 'node:net'
import type { Channel, ChannelSink, TransportError } from '@godwit/core'
import { releaseChunk } from './release-chunk.ts'
import { SinkFeed } from './sink-feed.ts'
import { connectionLost, toTransportError } from './transport-error.ts'

/**
 * Takes over a connected socket that does not flow yet (paused, or without a `data` listener).
 *
 * Both sides read by `data` events. Node's `onread` saves the allocation of each chunk, but it has
 * to be given when dialling, and the bulk of a migration arrives at the side that accepts.
 */
export class TcpChannel implements Channel {
  readonly remote: string
  readonly #socket: Socket
  readonly #feed: SinkFeed = new SinkFeed()
  #error: TransportError | undefined

  /** @param address `HOST:PORT` of the other end, for texts */
  constructor(socket: Socket, address: string) {
    this.remote = `tcp ${address}`
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('error', (error) => {
      this.#error ??= toTransportError(error, address)
    })
    socket.on('close', () => {
      // Without an error, only a stream that was read to its end is complete.
      const isClean = this.#feed.isStopped || (this.#error === undefined && socket.readableEnded)
      this.#feed.end(isClean ? undefined : (this.#error ?? connectionLost(address)))
    })
  }

  get bytesWritten(): number {
    return this.#socket.bytesWritten
  }

  get bytesRead(): number {
    return this.#socket.bytesRead
  }

  open(sink: ChannelSink): void {
    const isFirst = !this.#feed.hasSink
    this.#feed.open(sink)
    if (!isFirst) return
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
