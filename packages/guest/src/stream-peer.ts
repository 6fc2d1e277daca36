/**
 * The peer of guests `network`: a server that sends whoever connects the stream that he asks for,
 * at the rate that he asks for, as long as he acknowledges it.
 *
 * It keeps nothing of a stream: a guest that has moved asks for the next segment, and gets it.
 *
 * @module
 */
import { createServer, type Server, type Socket } from 'node:net'
import { type GodwitError, toGodwitError } from '@godwit/core'
import { TokenBucket } from '@godwit/policy'
import {
  ACKNOWLEDGEMENT_BYTES,
  decodeAcknowledgement,
  decodeHello,
  type Hello,
  HELLO_BYTES,
  RecordReader,
  SEGMENT_RECORD_BYTES,
  StreamContent,
  WINDOW_SEGMENTS,
} from './stream.ts'

/** Guests at a time, and those that have not said yet what they want. */
const connectionsMax = 64
/** Segments in one write: 64 KiB. */
const writeSegmentsMax = 16

/** What became of one connection. Numbers are of segments, from 0. */
export interface StreamAccount {
  readonly seed: number
  /** The first that was sent. */
  readonly first: number
  /** After the last that was sent. */
  readonly sent: number
  /** After the last that the guest has for good. */
  readonly acknowledged: number
  /** Why the peer ended it; undefined where the guest did. */
  readonly error: GodwitError | undefined
}

class Sender {
  readonly #socket: Socket
  readonly #hello: Hello
  readonly #content: StreamContent
  readonly #bucket: TokenBucket
  readonly #atOnce: number
  readonly #buffer: Uint8Array
  #sent: number
  #acknowledged: number
  /** Whether a write or a timer is under way. */
  #isBusy = false
  #timer: NodeJS.Timeout | undefined

  constructor(socket: Socket, hello: Hello) {
    this.#socket = socket
    this.#hello = hello
    this.#content = new StreamContent(hello.seed)
    this.#bucket = new TokenBucket(hello.bytesPerSecond)
    const grain = Math.floor(this.#bucket.grainBytes / SEGMENT_RECORD_BYTES)
    this.#atOnce = Math.max(1, Math.min(writeSegmentsMax, grain))
    this.#buffer = new Uint8Array(this.#atOnce * SEGMENT_RECORD_BYTES)
    this.#sent = hello.first
    this.#acknowledged = hello.acknowledged
  }

  /** @throws {WireError} */
  acknowledge(record: Uint8Array): void {
    this.#acknowledged = decodeAcknowledgement(record, this.#acknowledged, this.#sent)
    this.send()
  }

  send(): void {
    const count = Math.min(this.#atOnce, this.#acknowledged + WINDOW_SEGMENTS - this.#sent)
    if (this.#isBusy || count < 1 || this.#socket.destroyed) return
    this.#isBusy = true
    const waitMs = this.#bucket.waitMs(performance.now())
    if (waitMs > 0) {
      this.#timer = setTimeout(() => this.#goOn(), waitMs)
      return
    }
    for (let i = 0; i < count; i++) {
      this.#content.writeRecord(this.#sent + i, this.#buffer, i * SEGMENT_RECORD_BYTES)
    }
    const bytes = count * SEGMENT_RECORD_BYTES
    this.#bucket.spend(bytes, performance.now())
    this.#sent += count
    this.#socket.write(this.#buffer.subarray(0, bytes), () => this.#goOn())
  }

  #goOn(): void {
    this.#isBusy = false
    this.send()
  }

  end(error: GodwitError | undefined): StreamAccount {
    clearTimeout(this.#timer)
    const { seed, first } = this.#hello
    return { seed, first, sent: this.#sent, acknowledged: this.#acknowledged, error }
  }
}

function serve(socket: Socket, ended: (account: StreamAccount) => void): void {
  const hellos = new RecordReader(HELLO_BYTES)
  const acknowledgements = new RecordReader(ACKNOWLEDGEMENT_BYTES)
  let sender: Sender | undefined
  let failure: GodwitError | undefined
  const greet = (record: Uint8Array): void => {
    sender = new Sender(socket, decodeHello(record))
    sender.send()
  }
  socket.setNoDelay(true)
  let helloBytes = HELLO_BYTES
  socket.on('data', (chunk: Uint8Array) => {
    if (failure !== undefined) return
    try {
      const count = Math.min(helloBytes, chunk.length)
      helloBytes -= count
      hellos.feed(chunk.subarray(0, count), greet)
      acknowledgements.feed(chunk.subarray(count), (record) => sender!.acknowledge(record))
    } catch (error) {
      failure = toGodwitError(error)
      socket.destroy()
    }
  })
  // The guest is gone, or the way to it; it dials again if it wants more.
  socket.on('error', () => {})
  socket.on('close', () => {
    if (sender !== undefined) ended(sender.end(failure))
  })
}

/**
 * A server of streams that is still to listen.
 *
 * @param ended - called for each connection of a guest that is over
 */
export function createStreamPeer(ended: (account: StreamAccount) => void = () => {}): Server {
  const server = createServer((socket) => serve(socket, ended))
  server.maxConnections = connectionsMax
  return server
}
