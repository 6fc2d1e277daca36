/**
 * One port for TCP, TLS and WebSocket: the first byte of a connection tells which it is.
 *
 * @module
 */
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { type Channel, type Listener, TransportError } from '@godwit/core'
import { WebSocketServer } from 'ws'
import { formatHostPort, parseAddress } from './address.ts'
import { TcpChannel } from './tcp-channel.ts'
import { type TlsCredentials, TlsReception } from './tls.ts'
import { toTransportError } from './transport-error.ts'
import { WS_MESSAGE_BYTES_MAX, WsChannel } from './ws-channel.ts'

/** Connections open at a time, handed out or not; those that were detached do not count. */
export const CONNECTIONS_MAX_DEFAULT = 64
/** How long a connection may take to say what it is: a first byte, or a whole HTTP upgrade. */
export const FIRST_BYTE_DEADLINE_MS_DEFAULT = 5000

/** The first byte of Godwit's own preface. */
const PREFACE_FIRST_BYTE = 0x89
/** The `G` of `GET`, the only method that upgrades to a WebSocket. */
const HTTP_FIRST_BYTE = 0x47
/** A TLS record that holds part of a handshake. */
const TLS_FIRST_BYTE = 0x16

export interface ListenOptions {
  /** Default {@link CONNECTIONS_MAX_DEFAULT}; one connection more is dropped at once. */
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
 * owns it.
 *
 * @throws {GodwitError} `ADDRESS_INVALID`
 * @throws {TransportError} `ADDRESS_IN_USE`, `ADDRESS_UNAVAILABLE` or `ADDRESS_UNRESOLVED`
 */
export async function listen(
  address: string,
  onChannel: (channel: Channel) => void,
  options: ListenOptions = {},
): Promise<Listener> {
  const { host, port } = parseAddress(address)
  const onError = options.onError ?? (() => {})
  const reception = new Reception(
    onChannel,
    onError,
    options.firstByteDeadlineMs ?? FIRST_BYTE_DEADLINE_MS_DEFAULT,
    options.tls,
  )
  const server = createServer({ noDelay: true }, (socket) => reception.welcome(socket))
  server.maxConnections = options.connectionsMax ?? CONNECTIONS_MAX_DEFAULT
  server.on('drop', () => {
    onError(new TransportError('CONNECTION_LOST', 'A connection beyond the limit was dropped'))
  })
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

/** Finds out what each new connection speaks. */
class Reception {
  readonly #onChannel: (channel: Channel) => void
  readonly #onError: (error: TransportError) => void
  readonly #deadlineMs: number
  readonly #http: HttpServer
  readonly #tls: TlsReception | undefined
  /** Connections not handed out yet, with their deadlines. */
  readonly #waiting: Map<Socket, NodeJS.Timeout> = new Map()

  constructor(
    onChannel: (channel: Channel) => void,
    onError: (error: TransportError) => void,
    deadlineMs: number,
    tls: TlsCredentials | undefined,
  ) {
    this.#onChannel = onChannel
    this.#onError = onError
    this.#deadlineMs = deadlineMs
    this.#http = this.#createHttp()
    this.#tls = tls && this.#createTls(tls)
  }

  welcome(socket: Socket): void {
    const timer = setTimeout(
      () => this.#drop(socket, 'said nothing for too long'),
      this.#deadlineMs,
    )
    this.#waiting.set(socket, timer)
    socket.on('error', () => {})
    socket.once('close', () => this.#release(socket))
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
      this.#release(socket)
      this.#onChannel(new TcpChannel(socket, remoteAddress(socket)))
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
      (channel, raw) => {
        this.#release(raw)
        this.#onChannel(channel)
      },
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
        this.#release(socket)
        this.#onChannel(new WsChannel(webSocket, socket, remoteAddress(socket)))
      })
    })
    return http
  }

  #drop(socket: Socket, why: string): void {
    this.#onError(new TransportError('CONNECTION_LOST', `${remoteAddress(socket)} ${why}`))
    socket.destroy()
  }

  #release(socket: Socket): void {
    clearTimeout(this.#waiting.get(socket))
    this.#waiting.delete(socket)
  }
}

function remoteAddress(socket: Socket): string {
  // Both are undefined once the other end is gone.
  return formatHostPort(socket.remoteAddress ?? 'unknown', socket.remotePort ?? 0)
}
