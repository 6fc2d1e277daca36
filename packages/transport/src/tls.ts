/**
 * TLS 1.3 with certificates on both sides.
 *
 * @module
 */
import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import { isIP } from 'node:net'
import type { ConnectionOptions, Server, TLSSocket } from 'node:tls'
import { checkServerIdentity, connect, createSecureContext, createServer } from 'node:tls'
import { GodwitError, TransportError } from '@godwit/core'
import { type Address, formatHostPort } from './address.ts'
import { TlsChannel } from './tls-channel.ts'
import { isAuthenticationError, toTransportError } from './transport-error.ts'

/** What one side has, PEM each. */
export interface TlsCredentials {
  readonly cert: string | Uint8Array
  readonly key: string | Uint8Array
  /** Whoever signed the other side's certificate; nobody else is trusted. */
  readonly ca: string | Uint8Array
  /**
   * Whom the other side's certificate must name. By default the source checks the host that it
   * dials; the destination takes whomever the authority has signed.
   */
  readonly peer?: string | undefined
}

type Options = Pick<
  ConnectionOptions,
  'cert' | 'key' | 'ca' | 'minVersion' | 'secureOptions' | 'rejectUnauthorized'
>

/** @throws {GodwitError} `USAGE`: certificate and key do not fit, or are none */
function optionsOf({ cert, key, ca }: TlsCredentials): Options {
  const pem = (text: string | Uint8Array): Buffer => Buffer.from(text)
  const options: Options = {
    cert: pem(cert),
    key: pem(key),
    ca: pem(ca),
    minVersion: 'TLSv1.3',
    // Whoever comes again proves again who he is.
    secureOptions: constants.SSL_OP_NO_TICKET,
    rejectUnauthorized: true,
  }
  try {
    createSecureContext(options)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : ''
    throw new GodwitError('USAGE', `Certificate, key and authority are not usable: ${why}`, {
      cause,
    })
  }
  return options
}

/** @throws {GodwitError} `USAGE` */
export function checkCredentials(credentials: TlsCredentials): void {
  optionsOf(credentials)
}

/** Dials; rejects with `AUTH_FAILED` or `PEER_IDENTITY` where the other end is the wrong one. */
export function startTls(
  { host, port }: Address,
  credentials: TlsCredentials,
): { channel: Promise<TlsChannel>; abandon(): void } {
  const address = formatHostPort(host, port)
  const { peer = host } = credentials
  const socket = connect({
    ...optionsOf(credentials),
    host,
    port,
    ...(isIP(peer) === 0 ? { servername: peer } : {}),
    checkServerIdentity: (_name, certificate) => checkServerIdentity(peer, certificate),
  })
  const channel = new Promise<TlsChannel>((resolve, reject) => {
    let isConnected = false
    const fail = (error: Error): void => reject(toTlsError(error, address, isConnected))
    socket.once('connect', () => {
      isConnected = true
    })
    socket.once('error', fail)
    socket.once('secureConnect', () => {
      socket.off('error', fail)
      resolve(new TlsChannel(socket, address, true))
    })
  })
  return { channel, abandon: () => socket.destroy() }
}

/** A port that does not speak TLS just hangs up. */
function toTlsError(error: Error, address: string, isConnected: boolean): TransportError {
  const found = toTransportError(error, address)
  if (!isConnected || isAuthenticationError(found)) return found
  const text = `${address} does not complete a TLS handshake`
  return new TransportError('AUTH_FAILED', text, { cause: error })
}

/** The accepting half; connections come from a listener that saw what they begin with. */
export class TlsReception {
  readonly #server: Server
  readonly #peer: string | undefined
  /** Connections whose handshake is going on, by their other end. */
  readonly #below = new Map<string, Socket>()

  /**
   * @param onChannel - the other end is who it should be
   * @throws {GodwitError} `USAGE`
   */
  constructor(
    credentials: TlsCredentials,
    deadlineMs: number,
    onChannel: (channel: TlsChannel, below: Socket) => void,
    onError: (error: TransportError) => void,
  ) {
    this.#peer = credentials.peer
    this.#server = createServer({
      ...optionsOf(credentials),
      requestCert: true,
      handshakeTimeout: deadlineMs,
    })
    this.#server.on('secureConnection', (socket) => {
      const address = remoteOf(socket)
      const wrong = this.#checkPeer(socket)
      if (wrong === undefined) {
        onChannel(new TlsChannel(socket, address, false), this.#below.get(address)!)
        return
      }
      onError(new TransportError('PEER_IDENTITY', `${address}: ${wrong.message}`))
      socket.destroy()
    })
    this.#server.on('tlsClientError', (error, socket) => {
      const address = remoteOf(socket)
      const why = socket.authorizationError ?? error.message
      const text = `${address} does not prove who it is: ${String(why)}`
      onError(new TransportError('AUTH_FAILED', text, { cause: error }))
    })
  }

  /** Takes a connection of which nothing is lost. */
  welcome(socket: Socket): void {
    const address = remoteOf(socket)
    this.#below.set(address, socket)
    socket.once('close', () => this.#below.delete(address))
    this.#server.emit('connection', socket)
  }

  #checkPeer(socket: TLSSocket): Error | undefined {
    if (this.#peer === undefined) return undefined
    return checkServerIdentity(this.#peer, socket.getPeerCertificate())
  }
}

function remoteOf(socket: Socket): string {
  return formatHostPort(socket.remoteAddress ?? 'unknown', socket.remotePort ?? 0)
}
