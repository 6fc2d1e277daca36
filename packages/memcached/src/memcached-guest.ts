/**
 * A memcached service as a guest that can be moved away.
 *
 * @module
 */
import {
  checkPageBytes,
  type DirtyTracker,
  type GodwitError,
  type Guest,
  type GuestIdentity,
  PAGE_BYTES_DEFAULT,
  type Region,
} from '@godwit/core'
import { allocateRegion } from '@godwit/memory'
import { ascii } from './ascii.ts'
import {
  checkMemoryBytes,
  identityOf,
  type MemcachedSettings,
  readIdentity,
} from './memcached-spec.ts'
import { LOOPBACK, type Place } from './place.ts'
import { Service } from './service.ts'

/** The state package: everything else is in memory. */
export const STATE: Uint8Array = ascii('godwit memcached 1\n')

/** A running service. */
export class MemcachedGuest implements Guest {
  readonly identity: GuestIdentity
  readonly regions: readonly Region[]
  readonly trackers: readonly DirtyTracker[]
  /** Resolves, with the reason, when the guest dies; else never. */
  readonly failed: Promise<GodwitError>
  /** Where it listens. */
  readonly place: Place
  readonly #service: Service

  /** @param service - becomes the guest's; it listens */
  constructor(service: Service, settings: MemcachedSettings) {
    this.#service = service
    this.identity = identityOf(settings)
    this.regions = [service.region]
    this.trackers = [service.tracker]
    this.failed = service.failed
    this.place = service.place
  }

  /**
   * Starts an empty service.
   *
   * @throws {GodwitError} `GUEST_OPTION`, `ADDRESS_IN_USE`, `GUEST_FAILED`, `USAGE`
   * @throws {LimitError} `NO_ROOM`
   */
  static async start(
    identity: GuestIdentity,
    memoryBytes: number,
    options: { readonly pageBytes?: number } = {},
  ): Promise<MemcachedGuest> {
    const settings = readIdentity(identity)
    const pageBytes = checkPageBytes(options.pageBytes ?? PAGE_BYTES_DEFAULT)
    const byteLength = checkMemoryBytes(memoryBytes)
    const region = allocateRegion({ id: 0, name: 'ram', byteLength })
    const { port, threads } = settings
    const place = { host: LOOPBACK, port }
    const service = new Service({ region, pageBytes, place, threads })
    try {
      await service.listen()
      await service.create()
      await service.run()
    } catch (error) {
      await service.stop()
      throw error
    }
    return new MemcachedGuest(service, settings)
  }

  /**
   * Resolves once requests that are being executed are finished and no other begins. Clients stay
   * connected; what they said and was not executed waits for {@link resume}.
   */
  pause(): Promise<void> {
    return this.#service.pause()
  }

  resume(): void {
    // A thread that died meanwhile says so by `failed`.
    this.#service.run().catch(() => {})
  }

  /** Only while paused. */
  captureState(): Uint8Array {
    if (!this.#service.isPaused) throw new Error('a running guest has no state to capture')
    return STATE.slice()
  }

  /** Ends the thread and all connections; memory stays readable for whoever holds it. */
  stop(): Promise<void> {
    return this.#service.stop()
  }
}
