/**
 * A TCP proxy that counts round trips.
 *
 * @module
 */
import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'

/** Each way: what is sent without waiting for an answer goes as one, as on any long way. */
const delayMs = 20

/** Of the first connection, until the second one comes. */
export class CountingProxy {
  /** How often the destination spoke after the source had. */
  roundTrips = 0
  readonly #server: Server
  #connections = 0

  constructor(to: string) {
    const [host, port] = to.split(':') as [string, string]
    this.#server = createServer((source) => {
      const isFirst = this.#connections++ === 0
      const destination = connect(Number(port), host)
      let isAsked = false
      pass(source, destination, () => {
        isAsked = true
      })
      pass(destination, source, () => {
        if (isFirst && isAsked && this.#connections === 1) this.roundTrips++
        isAsked = false
      })
    })
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.close()
  }
}

/** Passes on what comes, later. */
function pass(from: Socket, into: Socket, arrived: () => void): void {
  from.setNoDelay(true)
  from.on('error', () => {})
  from.on('data', (chunk) => {
    setTimeout(() => {
      arrived()
      into.write(chunk)
    }, delayMs)
  })
  from.on('end', () => setTimeout(() => into.end(), delayMs))
}
