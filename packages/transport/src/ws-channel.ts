/**
 * A channel inside a WebSocket: binary messages whose borders carry no meaning.
 *
 * @module
 */
import type { Socket } from 'node:net'
import {
  type Channel,
  type ChannelSink,
  MIB,
  SinkFeed,
  TransportError,
  releaseChunk,
} from '@godwit/core'
import { WebSocket } from 'ws'
import { connectionLost, toTransportError } from './transport-error.ts'

/** The largest message sent or accepted; longer writes become several messages. */
export const WS_MESSAGE_BYTES_MAX: number = 4 * MIB

/** Close codes of RFC 6455, section 7.4.1. */
const CLOSE_NORMAL = 1000
const CLOSE_UNSUPPORTED_DATA = 1003
const CLOSE_NO_STATUS = 1005

/**
 * Takes over an open WebSocket of which no message was handled yet.
 *
 * A WebSocket closes by an exchange of frames, so after `end()` the other side hears of the end
 * only when this side reads, too; a side that was never opened holds it up until `ws` gives up.
 */
export class WsChannel implements Channel {
  readonly remote: string
  readonly #address: string
  readonly #webSocket: WebSocket
  readonly #socket: Socket
  readonly #feed: SinkFeed = new SinkFeed()
  #error: TransportError | undefined
  #unwrittenMessages = 0
  #isEnding = false

  /**
   * @param socket what the WebSocket runs on, for counting bytes
   * @param address `HOST:PORT` of the other end, for texts
   */
  constructor(webSocket: WebSocket, socket: Socket, address: string) {
    this.remote = `ws ${address}`
    this.#address = address
    this.#webSocket = webSocket
    this.#socket = socket
    webSocket.pause()
    webSocket.on('error', (error) => {
      this.#error ??= toTransportError(error, address)
    })
    webSocket.on('close', (code) => {
      const isClean =
        this.#feed.isStopped ||
        (this.#error === undefined && (code === CLOSE_NORMAL || code === CLOSE_NO_STATUS))
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
    const isFirst = this.#feed.sink === undefined
    this.#feed.open(sink)
    if (!isFirst) return
    this.#webSocket.on('message', (message, isBinary) => {
      if (!isBinary) {
        this.#refuseText()
        return
      }
      // A `Buffer`, as `binaryType` was left at its default, and ours alone.
      const chunk = message as Buffer
      this.#feed.deliver(chunk)
      releaseChunk(chunk)
    })
    this.#webSocket.resume()
  }

  write(bytes: Uint8Array, written?: () => void): void {
    let rest = bytes
    while (rest.length > WS_MESSAGE_BYTES_MAX) {
      this.#send(rest.subarray(0, WS_MESSAGE_BYTES_MAX))
      rest = rest.subarray(WS_MESSAGE_BYTES_MAX)
    }
    this.#send(rest, written)
  }

  end(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    if (this.#unwrittenMessages === 0) this.#webSocket.close(CLOSE_NORMAL)
  }

  destroy(): void {
    this.#feed.stop()
    this.#webSocket.terminate()
  }

  #send(message: Uint8Array, written?: () => void): void {
    if (this.#isEnding || this.#webSocket.readyState !== WebSocket.OPEN) return
    this.#unwrittenMessages++
    this.#webSocket.send(message, (error) => {
      this.#unwrittenMessages--
      if (error === undefined || error === null) {
        if (!this.#feed.isStopped) written?.()
      }
      // `ws` gives up some time after close() whatever is still queued, so close() comes last.
      if (this.#isEnding && this.#unwrittenMessages === 0) this.#webSocket.close(CLOSE_NORMAL)
    })
  }

  #refuseText(): void {
    if (this.#feed.isStopped) return
    this.#webSocket.close(CLOSE_UNSUPPORTED_DATA, 'binary messages only')
    this.#feed.end(
      new TransportError('CONNECTION_LOST', `${this.#address} sent text where bytes belong`, {
        retryable: false,
      }),
    )
  }
}
