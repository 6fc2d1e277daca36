/**
 * Stands between clients and a service that moves: clients stay connected to it while the owner of
 * the service changes.
 *
 * All clients share one connection to the owner (`owner-link.ts`). To hold, the relay forwards no
 * more and waits until all that was forwarded is answered. Whoever holds says who the owner is
 * afterwards; where nobody is left who could, the relay asks both ({@link Relay.seek}). Who was
 * held too long is disconnected: a relay never guesses an owner.
 *
 * @module
 */
import { type AddressInfo, createServer, type Server } from 'node:net'
import { findOwner } from './find-owner.ts'
import { OwnerLink } from './owner-link.ts'
import type { Place } from './place.ts'
import { type ClientHost, RelayedClient } from './relayed-client.ts'
import { Request } from './request.ts'
import { CONNECTIONS_MAX } from './service-job.ts'

/** How a relay held; see {@link Relay.hold}. */
export interface Held {
  /** Clients that did not take their replies in time, and were disconnected. */
  readonly dropped: number
}

export interface RelayOptions {
  /** The owner; without it clients wait until one is told. */
  readonly to?: Place
  /** Clients that have not taken their replies by then are disconnected; default 1 s. */
  readonly drainMs?: number
  /** Clients are held so long; then they are disconnected, and others turned away. Default 10 s. */
  readonly holdMs?: number
  /** Clients were held for too long, and disconnected. */
  readonly onGivenUp?: (clients: number) => void
}

/** Forwards to one owner at a time. */
export class Relay {
  readonly #server: Server
  readonly #clients = new Set<RelayedClient>()
  readonly #options: RelayOptions
  readonly #host: ClientHost = {
    request: new Request(),
    link: () => this.#linkToOwner(),
    closed: (client) => void this.#clients.delete(client),
  }
  /** Where requests go, or went before they were held. */
  #owner: Place | undefined
  /** `given-up`: held for too long. */
  #state: 'forwarding' | 'held' | 'given-up'
  #giveUpTimer: NodeJS.Timeout | undefined
  #seeking: AbortController | undefined
  /** To the owner; made when there is something to forward. */
  #link: OwnerLink | undefined
  /** To whoever is the owner next, perhaps: then nobody waits for a connection. */
  #nextLink: OwnerLink | undefined

  private constructor(options: RelayOptions) {
    this.#options = options
    this.#owner = options.to
    this.#state = options.to === undefined ? 'held' : 'forwarding'
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      if (this.#state === 'given-up') {
        socket.destroy()
        return
      }
      this.#clients.add(new RelayedClient(socket, this.#host, this.#state !== 'forwarding'))
    })
    this.#server.maxConnections = CONNECTIONS_MAX
  }

  /**
   * @param at - of the relay; port 0: any
   * @throws Node's error when it cannot listen there
   */
  static async listen(at: Place, options: RelayOptions = {}): Promise<Relay> {
    const relay = new Relay(options)
    await new Promise<void>((resolve, reject) => {
      relay.#server.once('error', reject)
      relay.#server.listen(at.port, at.host, resolve)
    })
    return relay
  }

  /** Where clients connect to. */
  get place(): Place {
    const { address, port } = this.#server.address() as AddressInfo
    return { host: address, port }
  }

  /** Where requests go, or went before they were held; undefined as long as nobody has told. */
  get owner(): Place | undefined {
    return this.#owner
  }

  get state(): 'forwarding' | 'held' | 'given-up' {
    return this.#state
  }

  get clientCount(): number {
    return this.#clients.size
  }

  #linkToOwner(): OwnerLink {
    if (this.#link === undefined || this.#link.isOver) this.#link = this.#connect(this.#owner!)
    return this.#link
  }

  #connect(to: Place): OwnerLink {
    return new OwnerLink(to, {
      full: (isFull) => {
        for (const client of this.#clients) client.stall(isFull)
      },
    })
  }

  /**
   * Holds new requests; resolves when those that were forwarded are answered. To be called before
   * the owner is paused.
   *
   * @param next - who may be the owner then: a connection is made now
   */
  async hold(next?: Place): Promise<Held> {
    const { holdMs = 10_000 } = this.#options
    this.#seeking?.abort()
    this.#state = 'held'
    clearTimeout(this.#giveUpTimer)
    this.#giveUpTimer = setTimeout(() => this.#giveUp(), holdMs)
    for (const client of this.#clients) client.hold()
    this.#nextLink?.destroy()
    this.#nextLink = next === undefined || next.port === 0 ? undefined : this.#connect(next)
    const link = this.#link
    if (link === undefined || link.isOver) return { dropped: 0 }
    const dropped = await this.#drain(link)
    for (const client of this.#clients) client.unlink(link)
    link.leave()
    if (this.#link === link) this.#link = undefined
    return { dropped }
  }

  /** Waits until all is answered. @returns clients that were disconnected for that */
  async #drain(link: OwnerLink): Promise<number> {
    const { drainMs = 1000 } = this.#options
    let dropped = 0
    const drop = (): void => {
      const linked = [...this.#clients].filter((client) => client.isLinked)
      // Who takes no replies keeps the owner from answering; where nobody is, it is the owner.
      const slow = linked.filter((client) => client.isBlocked)
      const gone = slow.length > 0 ? slow : linked
      dropped += gone.length
      for (const client of gone) client.destroy()
      if (slow.length === 0) link.destroy()
    }
    const timer = setInterval(drop, drainMs)
    await link.hold()
    clearInterval(timer)
    return dropped
  }

  #giveUp(): void {
    this.#state = 'given-up'
    const clients = this.#clients.size
    for (const client of this.#clients) client.destroy()
    this.#nextLink?.destroy()
    this.#options.onGivenUp?.(clients)
  }

  /** Forwards what was held, and what comes, to the owner at `to`. */
  release(to: Place): void {
    this.#seeking?.abort()
    clearTimeout(this.#giveUpTimer)
    const links = [this.#link, this.#nextLink]
    this.#link = links.find((link) => link !== undefined && isSame(link.place, to))
    this.#nextLink = undefined
    // Where nobody held, clients are cut whose requests went elsewhere.
    for (const link of links) if (link !== this.#link) link?.destroy()
    this.#owner = to
    this.#state = 'forwarding'
    for (const client of this.#clients) client.release()
  }

  /**
   * For when nobody is left who could say who the owner is: releases to the first of `places` that
   * executes a request. A service that is paused, or arriving, executes none.
   *
   * @returns who that was; undefined when somebody said so meanwhile, or the relay was closed
   */
  async seek(places: readonly Place[]): Promise<Place | undefined> {
    this.#seeking?.abort()
    const seeking = new AbortController()
    this.#seeking = seeking
    const found = await findOwner(places, seeking.signal)
    if (found !== undefined) this.release(found)
    return found
  }

  close(): void {
    this.#seeking?.abort()
    clearTimeout(this.#giveUpTimer)
    this.#server.close()
    for (const client of this.#clients) client.destroy()
    this.#link?.destroy()
    this.#nextLink?.destroy()
  }
}

function isSame(one: Place, other: Place): boolean {
  return one.host === other.host && one.port === other.port
}
