/**
 * `--metrics HOST:PORT`: metrics by HTTP, for Prometheus to fetch.
 *
 * @module
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { GodwitError } from '@godwit/core'
import { formatHostPort, isLoopback, parseAddress } from '@godwit/transport'
import type { Registry } from 'prom-client'

export interface MetricsServer {
  /** `HOST:PORT` really bound. */
  readonly address: string
  close(): void
}

/** Prometheus takes one; a few may look beside it. */
const connectionsMax = 16
const requestMs = 5000

/**
 * Checks where metrics are to be had, before anything is begun.
 *
 * @throws {GodwitError} `ADDRESS_INVALID`, `INSECURE_ADDRESS`
 */
export function checkMetricsAddress(text: string, mayLeaveMachine: boolean): void {
  const { host, transport } = parseAddress(text)
  if (transport !== 'tcp') throw new GodwitError('ADDRESS_INVALID', `--metrics ${text}: HOST:PORT`)
  if (mayLeaveMachine || isLoopback(host)) return
  const text1 = `${host} reaches beyond this machine, and anybody may read metrics there; listen on`
  throw new GodwitError('INSECURE_ADDRESS', `${text1} 127.0.0.1, or say --insecure-metrics`)
}

/** @throws {GodwitError} `ADDRESS_IN_USE`, `ADDRESS_UNAVAILABLE` */
export async function serveMetrics(text: string, registry: Registry): Promise<MetricsServer> {
  const { host, port } = parseAddress(text)
  const limits = { headersTimeout: requestMs, requestTimeout: requestMs, maxHeaderSize: 8192 }
  const server = createServer(limits, (request, response) => {
    const [path] = (request.url ?? '').split('?')
    if (request.method !== 'GET' || path !== '/metrics') {
      response.writeHead(path === '/metrics' ? 405 : 404).end()
      return
    }
    registry.metrics().then(
      (metrics) => response.writeHead(200, { 'content-type': registry.contentType }).end(metrics),
      () => response.writeHead(500).end(),
    )
  })
  server.maxConnections = connectionsMax
  await new Promise<void>((resolve, reject) => {
    server.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      const why = code === 'EADDRINUSE' ? 'ADDRESS_IN_USE' : 'ADDRESS_UNAVAILABLE'
      reject(new GodwitError(why, `Metrics cannot be served at ${text}: ${message}`))
    })
    server.listen(port, host, resolve)
  })
  server.on('error', () => {})
  server.unref()
  const { port: bound } = server.address() as AddressInfo
  return {
    address: formatHostPort(host, bound),
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
