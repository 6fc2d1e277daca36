/**
 * One client of a relay, with its connection to the owner of the service.
 *
 * Requests are forwarded whole, cut by the rules of `request.ts`. To hold, nothing more is
 * forwarded and the half of the connection to the owner is closed; the owner answers what it was
 * sent and ends the connection: then every request that was forwarded is answered, and none is
 * underway. What the client says meanwhile goes to the new owner, over a connection of its own.
 *
 * @module
 */
import { connect, type Socket } from 'node:net'
import { PendingBytes } from './pending-bytes.ts'
import type { Place } from './place.ts'
import { Request } from './request.ts'

/** One client with its connection to the owner. */
export class RelayedClient {
  readonly #client: Socket
  readonly #pending = new PendingBytes()
  readonly #request: Request
  #upstream: Socket | undefined
  /** Where requests go; undefined while they are held. */
  #owner: Place | undefined
  /** Of too large a data block, which the owner drops; a new owner knows nothing of it. */
  #passBytes = 0
  #dropBytes = 0
  /** The owner will end the connection by itself: nothing behind that is forwarded. */
  #isLeaving = false
  #hasEnded = false
  readonly #drained: (() => void)[] = []

  constructor(client: Socket, request: Request, owner: Place | undefined, closed: () => void) {
    this.#client = client
    this.#request = request
    this.#owner = owner
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
    if (owner === undefined) client.pause()
  }

  destroy(): void {
    this.#client.destroy()
  }

  /** Resolves when all that was forwarded is answered, or the client is gone. */
  hold(): Promise<void> {
    this.#owner = undefined
    this.#client.pause()
    const upstream = this.#upstream
    if (upstream === undefined || this.#client.destroyed) return Promise.resolve()
    this.#dropBytes += this.#passBytes
    this.#passBytes = 0
    upstream.end()
    return new Promise((resolve) => this.#drained.push(resolve))
  }

  release(owner: Place): void {
    this.#owner = owner
    this.#forward()
    if (!this.#isLeaving) this.#client.resume()
  }

  #tellDrained(): void {
    for (const resolve of this.#drained.splice(0)) resolve()
  }

  #forward(): void {
    if (this.#owner === undefined || this.#client.destroyed) return
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
      this.#isLeaving = scanned === 'endless' || request.isQuit
      pending.start = scanned === 'endless' ? pending.end : request.end
      this.#passBytes = request.swallowBytes
    }
  }

  #send(bytes: Uint8Array): void {
    this.#upstream ??= this.#connect(this.#owner!)
    if (this.#upstream.write(bytes)) return
    this.#client.pause()
    this.#upstream.once('drain', () => {
      if (this.#owner !== undefined) this.#client.resume()
    })
  }

  #connect(owner: Place): Socket {
    const upstream = connect({ ...owner, noDelay: true, allowHalfOpen: true })
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
      else if (this.#owner !== undefined || this.#isLeaving) this.#client.end()
      this.#tellDrained()
    })
    return upstream
  }
}
