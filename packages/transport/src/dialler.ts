/**
 * Opening connections, with a deadline.
 *
 * @module
 */
import { connect, type Socket } from 'node:net'
import {
  CancelledError,
  type Channel,
  type Dialler,
  GodwitError,
  TransportError,
} from '@godwit/core'
import { WebSocket } from 'ws'
import { type Address, formatHostPort, isLoopback, parseAddress } from './address.ts'
import { TcpChannel } from './tcp-channel.ts'
import type { TlsCredentials } from './tls.ts'
import { startTls } from './tls.ts'
import { toTransportError } from './transport-error.ts'
import { WS_MESSAGE_BYTES_MAX, WsChannel } from './ws-channel.ts'

/** How long one dial may take, name resolution and WebSocket upgrade included. */
export const CONNECT_TIMEOUT_MS_DEFAULT = 10_000

export interface DiallerOptions {
  /** Default {@link CONNECT_TIMEOUT_MS_DEFAULT}. */
  readonly connectTimeoutMs?: number
  /** Dials TLS instead of TCP. */
  readonly tls?: TlsCredentials
}

/** A connection under way: settles once, and can be given up before. */
interface Attempt {
  readonly channel: Promise<Channel>
  abandon(): void
}

/**
 * Dials `HOST:PORT` by TCP and `ws://HOST:PORT` by WebSocket. Each `dial` rejects with a
 * `TransportError` within the deadline, or with a `CancelledError` when its signal aborts.
 *
 * @throws {GodwitError} `ADDRESS_INVALID`; `USAGE` for TLS by WebSocket
 */
export function createDialler(address: string, options: DiallerOptions = {}): Dialler {
  const target = parseAddress(address)
  if (target.port === 0) {
    throw new GodwitError('ADDRESS_INVALID', `"${address}" has no port to dial; use 1 to 65535`)
  }
  const timeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS_DEFAULT
  const { tls } = options
  if (tls !== undefined && target.transport === 'ws') {
    throw new GodwitError('USAGE', 'There is no TLS for ws://; dial HOST:PORT, or use a key')
  }
  const start = startOf(target, tls)
  return {
    address,
    isLoopback: isLoopback(target.host),
    async dial(signal) {
      if (signal?.aborted === true) throw cancelled(address)
      return limit(start(target), address, timeoutMs, signal)
    },
  }
}

function startOf(
  { transport }: Address,
  tls: TlsCredentials | undefined,
): (target: Address) => Attempt {
  if (tls !== undefined) return (target) => startTls(target, tls)
  return transport === 'tcp' ? startTcp : startWs
}

function startTcp({ host, port }: Address): Attempt {
  const address = formatHostPort(host, port)
  const socket = connect({ host, port, noDelay: true })
  const channel = new Promise<Channel>((resolve, reject) => {
    const fail = (error: Error): void => reject(toTransportError(error, address))
    socket.once('error', fail)
    socket.once('connect', () => {
      const connected = new TcpChannel(socket, address)
      socket.off('error', fail)
      resolve(connected)
    })
  })
  return { channel, abandon: () => socket.destroy() }
}

function startWs({ host, port }: Address): Attempt {
  const address = formatHostPort(host, port)
  const webSocket = new WebSocket(`ws://${address}/`, {
    perMessageDeflate: false,
    maxPayload: WS_MESSAGE_BYTES_MAX,
    followRedirects: false,
  })
  const channel = new Promise<Channel>((resolve, reject) => {
    let socket: Socket
    // Stays attached: giving up a WebSocket that still connects emits an error of its own.
    webSocket.on('error', (error) => reject(toTransportError(error, address)))
    webSocket.once('unexpected-response', (_request, response) => {
      webSocket.terminate()
      reject(
        new TransportError(
          'CONNECTION_REFUSED',
          `${address} answered HTTP ${response.statusCode}, not as a WebSocket`,
          { retryable: false },
        ),
      )
    })
    webSocket.once('upgrade', (response) => {
      socket = response.socket
    })
    webSocket.once('open', () => resolve(new WsChannel(webSocket, socket, address)))
  })
  return { channel, abandon: () => webSocket.terminate() }
}

/** The attempt's channel, unless the deadline or the signal comes first. */
async function limit(
  attempt: Attempt,
  address: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Channel> {
  let settleEarly = (_error: GodwitError): void => {}
  const early = new Promise<never>((_resolve, reject) => {
    settleEarly = reject
  })
  const onAbort = (): void => settleEarly(cancelled(address))
  signal?.addEventListener('abort', onAbort)
  const timer = setTimeout(() => {
    settleEarly(
      new TransportError('CONNECTION_TIMEOUT', `${address} did not answer within ${timeoutMs} ms`),
    )
  }, timeoutMs)
  try {
    return await Promise.race([attempt.channel, early])
  } catch (error) {
    attempt.abandon()
    throw error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

function cancelled(address: string): CancelledError {
  return new CancelledError(`Connecting to ${address} was cancelled`)
}
