/**
 * One client of a relay, with its channel to the owner of the service (`owner-link.ts`).
 *
 * Requests are forwarded whole, cut by the rules of `request.ts`. While the relay holds, nothing is
 * forwarded; what the client says meanwhile goes to the new owner, by another channel.
 *
 * @module
 */
import type { Socket } from 'node:net'
import type { LinkedClient, OwnerLink } from './owner-link.ts'
import { PendingBytes } from './pending-bytes.ts'
import type { Request } from './request.ts'

/** The owner is told of so many bytes that the client took at once. */
const creditBytes = 1 << 18

/** What a client needs of its relay. */
export interface ClientHost {
  /** For scanning; used by one client at a time. */
  readonly request: Request
  /** The connection to the owner, as long as requests are forwarded. */
  link(): OwnerLink
  /** The client is gone. */
  closed(client: RelayedClient): void
}

/** Connected as long as the client and the relay want. */
export class RelayedClient implements LinkedClient {
  readonly #client: Socket
  readonly #host: ClientHost
  readonly #pending = new PendingBytes()
  /** Where its requests went, as long as that knows of it. */
  #link: OwnerLink | undefined
  #channel = 0
  #isHeld: boolean
  /** The owner takes no more at the moment. */
  #isStalled = false
  /** It does not take its replies. */
  #isBlocked = false
  /** Of too large a data block, which the owner drops; a new owner knows nothing of it. */
  #passBytes = 0
  #dropBytes = 0
  /** Replies that it took, and the owner was not told of. */
  #takenBytes = 0
  /** The owner will end the connection by itself: nothing behind that is forwarded. */
  #isLeaving = false
  #hasEnded = false

  constructor(client: Socket, host: ClientHost, isHeld: boolean) {
    this.#client = client
    this.#host = host
    this.#isHeld = isHeld
    client.on('data', (chunk) => {
      if (!this.#isLeaving) this.#pending.add(chunk)
      this.#forward()
    })
    client.on('end', () => {
      this.#hasEnded = true
      this.#forward()
    })
    client.on('drain', () => {
      this.#isBlocked = false
      this.#credit()
      this.#readOn()
    })
    client.on('error', () => {})
    client.on('close', () => {
      this.#link?.close(this.#channel)
      this.#link = undefined
      host.closed(this)
    })
    this.#readOn()
  }

  /** It does not take its replies. */
  get isBlocked(): boolean {
    return this.#isBlocked
  }

  /** The owner knows of it. */
  get isLinked(): boolean {
    return this.#link !== undefined
  }

  destroy(): void {
    this.#client.destroy()
  }

  /** Forwards nothing until {@link release}. */
  hold(): void {
    this.#isHeld = true
    this.#dropBytes += this.#passBytes
    this.#passBytes = 0
    this.#readOn()
  }

  /** All that was forwarded is answered; the owner is not to hear of it any more. */
  unlink(link: OwnerLink): void {
    if (this.#link !== link) return
    this.#link = undefined
    this.#takenBytes = 0
  }

  release(): void {
    this.#isHeld = false
    this.#forward()
    this.#readOn()
  }

  /** Nothing more is read while the owner takes nothing. */
  stall(isStalled: boolean): void {
    this.#isStalled = isStalled
    this.#readOn()
  }

  told(bytes: Uint8Array): void {
    this.#takenBytes += bytes.length
    if (!this.#client.write(bytes) && this.#client.writableLength > 0) {
      this.#isBlocked = true
      this.#readOn()
    } else if (this.#takenBytes >= creditBytes) this.#credit()
  }

  closed(): void {
    this.#link = undefined
    this.#client.end()
  }

  cut(): void {
    this.#link = undefined
    this.#client.destroy()
  }

  #credit(): void {
    if (this.#takenBytes > 0) this.#link?.credit(this.#channel, this.#takenBytes)
    this.#takenBytes = 0
  }

  #readOn(): void {
    const isReading = !this.#isHeld && !this.#isStalled && !this.#isBlocked
    if (isReading && this.#client.isPaused()) this.#client.resume()
    else if (!isReading && !this.#client.isPaused()) this.#client.pause()
  }

  #forward(): void {
    if (this.#isHeld || this.#client.destroyed) return
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
    if (this.#link === undefined) this.#client.end()
    else this.#link.end(this.#channel)
  }

  /** Moves the start of what is pending behind the last byte that may be forwarded. */
  #cut(): void {
    const pending = this.#pending
    const { request } = this.#host
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
    if (this.#link === undefined) {
      const link = this.#host.link()
      const channel = link.open(this)
      if (channel === undefined) return this.destroy()
      this.#link = link
      this.#channel = channel
    }
    this.#link.forward(this.#channel, bytes)
  }
}
