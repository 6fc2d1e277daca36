/**
 * The other end of `traffic.ts`: takes whatever comes, and keeps nothing.
 *
 * @module
 */
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'
import {
  formatHostPort,
  parseAddress,
  requireSecureOrLoopback,
  toTransportError,
} from '@godwit/transport'

/** Streams at a time: a few, and no reason to hold descriptors for strangers. */
const streamsMax = 64

export interface TrafficSink {
  /** `HOST:PORT` really bound. */
  readonly address: string
  /** Everything that came so far. */
  readonly receivedBytes: number
  close(): void
}

/**
 * Listens at `address` (port 0: any).
 *
 * @param insecure - off loopback, too: anybody there can make this machine take bytes
 * @throws {GodwitError} `ADDRESS_INVALID`, `INSECURE_ADDRESS`
 * @throws {TransportError} `ADDRESS_IN_USE`, `ADDRESS_UNAVAILABLE`, `ADDRESS_UNRESOLVED`
 */
export async function listenForTraffic(address: string, insecure = false): Promise<TrafficSink> {
  const { host, port } = parseAddress(address)
  requireSecureOrLoopback(host, insecure)
  let receivedBytes = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('data', ({ length }) => {
      receivedBytes += length
    })
    // Whoever sent is gone; there is nothing to do about it.
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.maxConnections = streamsMax
  server.listen({ host, port })
  try {
    await once(server, 'listening')
  } catch (error) {
    throw toTransportError(error, address)
  }
  const bound = server.address() as AddressInfo
  return {
    address: formatHostPort(bound.address, bound.port),
    get receivedBytes() {
      return receivedBytes
    },
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
