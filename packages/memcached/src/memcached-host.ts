/**
 * Room for memcached services that arrive. Everything in an offer comes from a peer and is checked;
 * what is inside the memory is the service's own affair, which its thread alone touches.
 *
 * @module
 */
import {
  type DirtyTracker,
  type FinalState,
  GodwitError,
  type GuestHost,
  type GuestOffer,
  type IncomingGuest,
  isPageBytes,
  ProtocolError,
  type Region,
  type ZeroMemory,
} from '@godwit/core'
import { allocateRegion } from '@godwit/memory'
import { MemcachedGuest, STATE } from './memcached-guest.ts'
import { checkMemoryBytes, type MemcachedSettings, readIdentity } from './memcached-spec.ts'
import { LOOPBACK, type Place } from './place.ts'
import { Service } from './service.ts'

/** Memory that is counted somewhere: it says when that is touched, and when it is given back. */
export interface Room {
  touched(): void
  release(): void
}

function refuse(text: string): never {
  throw new ProtocolError('PROTOCOL_STATE', `The offered guest is not right: ${text}`)
}

/** A service that arrives: it listens, clients wait. */
export class IncomingMemcached implements IncomingGuest {
  readonly trackers: readonly DirtyTracker[]
  readonly #service: Service
  readonly #settings: MemcachedSettings
  readonly #room: Room | undefined
  #isGone = false

  constructor(service: Service, settings: MemcachedSettings, room: Room | undefined) {
    this.#service = service
    this.#settings = settings
    this.#room = room
    this.trackers = [service.tracker]
  }

  /** Where it listens. */
  get place(): Place {
    return this.#service.place
  }

  /** Empty after {@link discard}. */
  get regions(): readonly Region[] {
    return this.#isGone ? [] : [this.#service.region]
  }

  /** @throws {ProtocolError} `PROTOCOL_STATE` when package or memory is not a service's */
  async restoreState(state: Uint8Array): Promise<void> {
    const isRight = state.length === STATE.length && STATE.every((byte, i) => byte === state[i])
    if (!isRight) refuse('its state is not that of a memcached guest')
    try {
      await this.#service.open()
    } catch (error) {
      const reason = error instanceof GodwitError ? error.message : String(error)
      refuse(reason)
    }
  }

  /** Executes requests from here on, those of clients that were early, too. */
  run(): Promise<void> {
    return this.#service.run()
  }

  /** Executes nothing any more; clients stay connected. It counts no steps. */
  async stop(): Promise<FinalState> {
    await this.#service.pause()
    return { steps: 0, registers: STATE.slice() }
  }

  async discard(): Promise<void> {
    await this.#service.stop()
    if (this.#isGone) return
    this.#isGone = true
    this.#room?.release()
  }

  /** The same guest, to be moved on from here. */
  asGuest(): MemcachedGuest {
    return new MemcachedGuest(this.#service, this.#settings)
  }
}

/** Makes room for memcached services. */
export class MemcachedHost implements GuestHost {
  readonly #takeRoom: ((bytes: number) => Room) | undefined
  readonly #host: string

  /**
   * @param takeRoom - counts memory; throws `NO_ROOM` where there is not as much
   * @param host - where services are to listen: what a peer offers opens no port to the world, and
   *   only who makes room may
   */
  constructor(takeRoom?: (bytes: number) => Room, host: string = LOOPBACK) {
    this.#takeRoom = takeRoom
    this.#host = host
  }

  /**
   * Allocates memory and listens: on the offer's `next`, or on its `port`.
   *
   * @throws {GodwitError} `ADDRESS_IN_USE`, `ADDRESS_UNAVAILABLE`, `GUEST_UNKNOWN`,
   *   `GUEST_OPTION`, and whatever `zero` rejects with
   * @throws {LimitError} `NO_ROOM`
   * @throws {ProtocolError} `PROTOCOL_STATE`, `PAGE_SIZE_MISMATCH`
   */
  async reserve(offer: GuestOffer, zero: ZeroMemory): Promise<IncomingMemcached> {
    const { port: before, next, threads } = readIdentity(offer.identity)
    const byteLength = checkMemoryBytes(offer.regions.reduce((sum, one) => sum + one.byteLength, 0))
    const [shape] = offer.regions
    if (shape === undefined || offer.regions.length > 1) refuse('it has not one region of memory')
    if (!isPageBytes(offer.pageBytes)) {
      throw new ProtocolError('PAGE_SIZE_MISMATCH', `${offer.pageBytes} is not a page size`)
    }
    const place = { host: this.#host, port: next ?? before }
    const room = this.#takeRoom?.(byteLength)
    let service: Service | undefined
    try {
      const region = allocateRegion({ id: shape.id, name: shape.name, byteLength })
      service = new Service({ region, pageBytes: offer.pageBytes, place, threads })
      // The memory is lent to `zero` until that is done, whatever becomes of the port.
      const [listening, zeroing] = await Promise.allSettled([
        service.listen(),
        zero([region], true),
      ])
      room?.touched()
      if (zeroing.status === 'rejected') throw zeroing.reason
      if (listening.status === 'rejected') throw whyNot(listening.reason, place)
    } catch (error) {
      await service?.stop()
      room?.release()
      throw error
    }
    // Ports change places, so that a guest that comes back finds its old one free.
    const { port } = service.place
    const settings = { port, next: next === undefined ? undefined : before, threads }
    return new IncomingMemcached(service, settings, room)
  }
}

function whyNot(reason: unknown, { host, port }: Place): unknown {
  if (!(reason instanceof GodwitError) || reason.code !== 'ADDRESS_IN_USE') return reason
  const text =
    `Port ${port} of ${host}, which the memcached guest is to listen on, is in use here; ` +
    'where both sides are on one machine the guest has next=PORT, too'
  return new GodwitError('ADDRESS_IN_USE', text, { cause: reason })
}
