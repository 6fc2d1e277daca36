/**
 * A channel that is a TLS 1.3 connection whose two ends have proved who they are.
 *
 * @module
 */
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { type Channel, type ChannelSink, SinkFeed, TransportError } from '@godwit/core'
import { connectionLost, isAuthenticationError, toTransportError } from './transport-error.ts'

/** RFC 5705: a label that nobody has to register, and no context. */
const exporterLabel = 'EXPERIMENTAL godwit 1'
const secretBytes = 32

/** Takes over a connection whose handshake is over, and of which nothing was read. */
export class TlsChannel implements Channel {
  readonly remote: string
  readonly secret: Uint8Array
  readonly identity: string
  /** A TLS connection cannot change threads; those beside it are TCP, and can. */
  readonly detachesBeside = true
  readonly #address: string
  readonly #socket: TLSSocket
  readonly #feed: SinkFeed = new SinkFeed()
  readonly #isDialled: boolean
  #hasRead = false
  #error: TransportError | undefined

  /**
   * @param address `HOST:PORT` of the other end, for texts
   * @param isDialled - whoever accepts checks the certificate last, and hangs up
   */
  constructor(socket: TLSSocket, address: string, isDialled: boolean) {
    this.#isDialled = isDialled
    this.remote = `tls ${address}`
    this.#address = address
    this.#socket = socket
    this.secret = Uint8Array.from(
      socket.exportKeyingMaterial(secretBytes, exporterLabel, Buffer.alloc(0)),
    )
    this.identity = identityOf(socket.getPeerCertificate())
    socket.setNoDelay(true)
    socket.on('error', (error) => {
      this.#error ??= toTransportError(error, address)
    })
    socket.on('close', () => this.#closed())
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
    this.#socket.on('data', (chunk: Buffer) => {
      this.#hasRead = true
      this.#feed.deliver(chunk)
    })
    this.#socket.resume()
  }

  write(bytes: Uint8Array, written?: () => void): void {
    if (!this.#socket.writable) return
    this.#socket.write(bytes, (error) => {
      const isDropped = error !== undefined && error !== null
      if (!isDropped && !this.#feed.isStopped) written?.()
    })
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#feed.stop()
    this.#socket.destroy()
  }

  #closed(): void {
    const isClean = this.#error === undefined && this.#socket.readableEnded
    if (this.#feed.isStopped) this.#feed.end()
    else if (this.#isDialled && !this.#hasRead) this.#feed.end(this.#turnedAway())
    else this.#feed.end(isClean ? undefined : (this.#error ?? connectionLost(this.#address)))
  }

  #turnedAway(): TransportError {
    const error = this.#error
    if (error !== undefined && isAuthenticationError(error)) return error
    const text = 'hung up after the TLS handshake; does it take the certificate of this side?'
    return new TransportError('AUTH_FAILED', `${this.#address} ${text}`, { cause: error })
  }
}

/** The names in a certificate: they stay when it is renewed. */
function identityOf({ subject, subjectaltname = '' }: PeerCertificate): string {
  return JSON.stringify([subject, subjectaltname])
}
