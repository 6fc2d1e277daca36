/**
 * One port for TCP, TLS and WebSocket: the first byte of a connection tells which it is.
 *
 * @module
 */
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { type Channel, Crowd, type Listener, type Place, TransportError } from '@godwit/core'
import { WebSocketServer } from 'ws'
import { formatHostPort, parseAddress } from './address.ts'
import { TcpChannel } from './tcp-channel.ts'
import { type TlsCredentials, TlsReception } from './tls.ts'
import { toTransportError } from './transport-error.ts'
import { WS_MESSAGE_BYTES_MAX, WsChannel } from './ws-channel.ts'

/**
 * Connections open at a time, handed out or not; those that were detached do not count. A stranger
 * costs a descriptor and a few KiB.
 */
export const CONNECTIONS_MAX_DEFAULT = 1024
/** WebSockets at a time whose other end is not known: each may have a long message under way. */
export const WEB_SOCKET_STRANGERS_MAX = 64
/** How long a connection may take to say what it is: a first byte, or a whole HTTP upgrade. */
export const FIRST_BYTE_DEADLINE_MS_DEFAULT = 5000

/** The first byte of Godwit's own preface. */
const PREFACE_FIRST_BYTE = 0x89
/** The `G` of `GET`, the only method that upgrades to a WebSocket. */
const HTTP_FIRST_BYTE = 0x47
/** A TLS record that holds part of a handshake. */
const TLS_FIRST_BYTE = 0x16

/** @param place - the connection's; left by itself when that is closed */
type OnChannel = (channel: Channel, place: Place) => void

export interface ListenOptions {
  /**
   * Default {@link CONNECTIONS_MAX_DEFAULT}. For one more, the oldest connection of a stranger is
   * dropped, see {@link Crowd}; where there is none, the new one is.
   */
  readonly connectionsMax?: number
  /** Default {@link FIRST_BYTE_DEADLINE_MS_DEFAULT}. */
  readonly firstByteDeadlineMs?: number
  /** Accepts TLS, too. */
  readonly tls?: TlsCredentials
  /** Told of connections that were dropped, and of trouble with accepting; for logs. */
  readonly onError?: (error: TransportError) => void
}

/**
 * Accepts TCP and WebSocket connections at `address` (whose scheme does not matter) and hands each
 * to `onChannel` once its first byte, or its WebSocket upgrade, arrived. Whoever gets a channel
 * owns it, and settles its place once the other end is known.
 *
 * @throws {GodwitError} `ADDRESS_INVALID`
 * @throws {TransportError} `ADDRESS_IN_USE`, `ADDRESS_UNAVAILABLE` or `ADDRESS_UNRESOLVED`
 */
export async function listen(
  address: string,
  onChannel: OnChannel,
  options: ListenOptions = {},
): Promise<Listener> {
  const { host, port } = parseAddress(address)
  const onError = options.onError ?? (() => {})
  const reception = new Reception(
    onChannel,
    onError,
    new Crowd({ max: options.connectionsMax ?? CONNECTIONS_MAX_DEFAULT }),
    options.firstByteDeadlineMs ?? FIRST_BYTE_DEADLINE_MS_DEFAULT,
    options.tls,
  )
  const server = createServer({ noDelay: true }, (socket) => reception.welcome(socket))
  await bind(server, host, port)
  const bound = server.address() as AddressInfo
  const boundAddress = formatHostPort(bound.address, bound.port)
  server.on('error', (error) => onError(toTransportError(error, boundAddress)))
  return {
    address: boundAddress,
    async close() {
      // Not awaited: Node's callback waits for channels that live on.
      server.close()
      reception.close()
    },
  }
}

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      reject(toTransportError(error, formatHostPort(host, port)))
    }
    server.once('error', fail)
    server.listen({ host, port }, () => {
      server.off('error', fail)
      resolve()
    })
  })
}

/** A connection that was not handed out yet. */
interface Waiting {
  readonly deadline: NodeJS.Timeout
  readonly place: Place
  /** Once it was handed out. */
  channel: Channel | undefined
}

/** Finds out what each new connection speaks. */
class Reception {
  readonly #onChannel: OnChannel
  readonly #onError: (error: TransportError) => void
  readonly #crowd: Crowd
  readonly #webSockets = new Crowd({ max: WEB_SOCKET_STRANGERS_MAX })
  readonly #deadlineMs: number
  readonly #http: HttpServer
  readonly #tls: TlsReception | undefined
  readonly #waiting: Map<Socket, Waiting> = new Map()

  constructor(
    onChannel: OnChannel,
    onError: (error: TransportError) => void,
    crowd: Crowd,
    deadlineMs: number,
    tls: TlsCredentials | undefined,
  ) {
    this.#onChannel = onChannel
    this.#onError = onError
    this.#crowd = crowd
    this.#deadlineMs = deadlineMs
    this.#http = this.#createHttp()
    this.#tls = tls && this.#createTls(tls)
  }

  welcome(socket: Socket): void {
    socket.on('error', () => {})
    const beyond = 'is one connection more than the limit allows'
    let waiting: Waiting | undefined
    const place = this.#crowd.enter(socket.remoteAddress ?? '', () => {
      if (waiting?.channel === undefined) this.#drop(socket, beyond)
      else waiting.channel.destroy()
    })
    if (place === undefined) return this.#drop(socket, beyond)
    const deadline = setTimeout(
      () => this.#drop(socket, 'said nothing for too long'),
      this.#deadlineMs,
    )
    waiting = { deadline, place, channel: undefined }
    this.#waiting.set(socket, waiting)
    socket.once('close', () => {
      place.leave()
      this.#release(socket)
    })
    socket.once('data', (chunk: Buffer) => {
      socket.pause()
      socket.unshift(chunk)
      this.#route(socket, chunk[0]!)
    })
  }

  /** Drops the connections that nobody owns yet. */
  close(): void {
    for (const socket of this.#waiting.keys()) socket.destroy()
  }

  #route(socket: Socket, firstByte: number): void {
    if (firstByte === PREFACE_FIRST_BYTE) {
      this.#handOut(socket, new TcpChannel(socket, remoteAddress(socket)))
    } else if (firstByte === HTTP_FIRST_BYTE) {
      this.#http.emit('connection', socket)
      socket.resume()
    } else if (firstByte === TLS_FIRST_BYTE && this.#tls !== undefined) {
      this.#tls.welcome(socket)
    } else {
      this.#drop(socket, 'speaks neither Godwit nor WebSocket')
    }
  }

  #createTls(credentials: TlsCredentials): TlsReception {
    return new TlsReception(
      credentials,
      this.#deadlineMs,
      (channel, raw) => this.#handOut(raw, channel),
      this.#onError,
    )
  }

  #createHttp(): HttpServer {
    const webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: WS_MESSAGE_BYTES_MAX,
    })
    const http = createHttpServer((_request, response) => {
      response.writeHead(426, {
        Connection: 'close',
        Upgrade: 'websocket',
        'Content-Type': 'text/plain',
      })
      response.end('This is a Godwit agent; it speaks WebSocket and Godwit over TCP here.\n')
    })
    http.on('upgrade', (request, duplex, head) => {
      const socket = duplex as Socket
      webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        const channel = new WsChannel(webSocket, socket, remoteAddress(socket))
        const stranger = this.#webSockets.enter(socket.remoteAddress ?? '', () => channel.destroy())
        socket.once('close', () => stranger?.leave())
        this.#handOut(socket, channel, () => stranger?.leave())
      })
    })
    return http
  }

  #handOut(socket: Socket, channel: Channel, onKnown = (): void => {}): void {
    const waiting = this.#waiting.get(socket)
    // The deadline came first.
    if (waiting === undefined) return channel.destroy()
    waiting.channel = channel
    this.#release(socket)
    const { place } = waiting
    const settle = (): void => {
      onKnown()
      place.settle()
    }
    this.#onChannel(channel, { settle, leave: () => place.leave() })
  }

  #drop(socket: Socket, why: string): void {
    this.#onError(new TransportError('CONNECTION_LOST', `${remoteAddress(socket)} ${why}`))
    socket.destroy()
  }

  #release(socket: Socket): void {
    clearTimeout(this.#waiting.get(socket)?.deadline)
    this.#waiting.delete(socket)
  }
}

function remoteAddress(socket: Socket): string {
  // Both are undefined once the other end is gone.
  return formatHostPort(socket.remoteAddress ?? 'unknown', socket.remotePort ?? 0)
}
