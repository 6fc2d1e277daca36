/**
 * Stands between clients and a service that moves: clients stay connected to it while the owner of
 * the service changes.
 *
 * Requests are forwarded whole, cut by the rules of `request.ts`. To hold, the relay forwards no
 * more and closes its halves of the connections to the owner, who answers what it was sent and ends
 * them: then every request that was forwarded is answered, and none is underway. What clients say
 * meanwhile goes to the new owner, over connections of its own.
 *
 * @module
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { PendingBytes } from './pending-bytes.ts'
import { Request } from './request.ts'
import { CONNECTIONS_MAX } from './service-job.ts'

/** One client with its connection to the owner. */
class RelayedClient {
  readonly #client: Socket
  readonly #pending = new PendingBytes()
  readonly #request: Request
  #upstream: Socket | undefined
  /** Where requests go; undefined while they are held. */
  #port: number | undefined
  /** Of too large a data block, which the owner drops; a new owner knows nothing of it. */
  #passBytes = 0
  #dropBytes = 0
  /** The owner will end the connection by itself: nothing behind that is forwarded. */
  #isLeaving = false
  #hasEnded = false
  readonly #drained: (() => void)[] = []

  constructor(client: Socket, request: Request, port: number | undefined, closed: () => void) {
    this.#client = client
    this.#request = request
    this.#port = port
    client.on('data', (chunk) => {
      if (!this.#isLeaving) this.#pending.add(chunk)
      this.#forward()
    })
    client.on('end', () => {
      this.#hasEnded = true
      this.#forward()
    })
    client.on('drain', () => this.#upstream?.resume())
    client.on('error', () => {})
    client.on('close', () => {
      this.#upstream?.destroy()
      this.#tellDrained()
      closed()
    })
    if (port === undefined) client.pause()
  }

  destroy(): void {
    this.#client.destroy()
  }

  /** Resolves when all that was forwarded is answered, or the client is gone. */
  hold(): Promise<void> {
    this.#port = undefined
    this.#client.pause()
    const upstream = this.#upstream
    if (upstream === undefined || this.#client.destroyed) return Promise.resolve()
    this.#dropBytes = this.#passBytes
    this.#passBytes = 0
    upstream.end()
    return new Promise((resolve) => this.#drained.push(resolve))
  }

  release(port: number): void {
    this.#port = port
    this.#forward()
    if (!this.#isLeaving) this.#client.resume()
  }

  #tellDrained(): void {
    for (const resolve of this.#drained.splice(0)) resolve()
  }

  #forward(): void {
    if (this.#port === undefined || this.#client.destroyed) return
    const pending = this.#pending
    const dropped = Math.min(this.#dropBytes, pending.length)
    this.#dropBytes -= dropped
    pending.start += dropped
    const from = pending.start
    this.#cut()
    if (pending.start > from) this.#send(pending.bytes.subarray(from, pending.start))
    if (!this.#hasEnded || this.#isLeaving) return
    // What is left of a request that will not be whole is nothing to the owner, either.
    this.#isLeaving = true
    if (this.#upstream === undefined) this.#client.end()
    else this.#upstream.end()
  }

  /** Moves the start of what is pending behind the last byte that may be forwarded. */
  #cut(): void {
    const pending = this.#pending
    const request = this.#request
    while (!this.#isLeaving) {
      const passed = Math.min(this.#passBytes, pending.length)
      this.#passBytes -= passed
      pending.start += passed
      if (this.#passBytes > 0 || pending.length < pending.needBytes) return
      const scanned = request.scan(pending.bytes, pending.start, pending.end)
      if (scanned === 'incomplete') {
        pending.needBytes = request.needBytes
        return
      }
      pending.needBytes = 1
      this.#isLeaving = scanned === 'endless' || request.form?.verb === 'quit'
      pending.start = scanned === 'endless' ? pending.end : request.end
      this.#passBytes = request.swallowBytes
    }
  }

  #send(bytes: Uint8Array): void {
    this.#upstream ??= this.#connect(this.#port!)
    if (this.#upstream.write(bytes)) return
    this.#client.pause()
    this.#upstream.once('drain', () => {
      if (this.#port !== undefined) this.#client.resume()
    })
  }

  #connect(port: number): Socket {
    const upstream = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    let hasAnswered = false
    upstream.on('data', (chunk) => {
      if (!this.#client.write(chunk)) upstream.pause()
    })
    upstream.on('end', () => {
      hasAnswered = true
      upstream.end()
    })
    upstream.on('error', () => {})
    upstream.on('close', () => {
      this.#upstream = undefined
      // Cut off: what was answered cannot be told, and asking twice is not for us to decide.
      if (!hasAnswered) this.#client.destroy()
      else if (this.#port !== undefined || this.#isLeaving) this.#client.end()
      this.#tellDrained()
    })
    return upstream
  }
}

/** How a relay held; see {@link Relay.hold}. */
export interface Held {
  /** Clients that did not take their replies in time, and were disconnected. */
  readonly dropped: number
}

/** Forwards to one owner at a time, on 127.0.0.1. */
export class Relay {
  readonly #server: Server
  readonly #clients = new Set<RelayedClient>()
  #to: number | undefined

  private constructor(to: number) {
    const request = new Request()
    this.#to = to
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const closed = (): void => void this.#clients.delete(client)
      const client = new RelayedClient(socket, request, this.#to, closed)
      this.#clients.add(client)
    })
    this.#server.maxConnections = CONNECTIONS_MAX
  }

  /** @param port - of the relay; 0: any. @param to - port of the owner */
  static async listen(port: number, to: number): Promise<Relay> {
    const relay = new Relay(to)
    await new Promise<void>((resolve, reject) => {
      relay.#server.once('error', reject)
      relay.#server.listen(port, '127.0.0.1', resolve)
    })
    return relay
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /**
   * Holds new requests; resolves when those that were forwarded are answered. To be called before
   * the owner is paused.
   *
   * @param drainMs - clients that have not taken their replies by then are disconnected
   */
  async hold(drainMs = 1000): Promise<Held> {
    this.#to = undefined
    const waiting = new Set(this.#clients)
    const drains = [...waiting].map((client) => client.hold().then(() => waiting.delete(client)))
    let dropped = 0
    const timer = setTimeout(() => {
      dropped = waiting.size
      for (const client of waiting) client.destroy()
    }, drainMs)
    await Promise.all(drains)
    clearTimeout(timer)
    return { dropped }
  }

  /** Forwards what was held, and what comes, to the owner at `to`. */
  release(to: number): void {
    this.#to = to
    for (const client of this.#clients) client.release(to)
  }

  close(): void {
    this.#server.close()
    for (const client of this.#clients) client.destroy()
  }
}
