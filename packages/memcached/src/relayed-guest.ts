/**
 * A memcached guest behind a relay, which follows it: clients stay connected while it moves.
 *
 * @module
 */
import type { DirtyTracker, GodwitError, Guest, GuestIdentity, Region } from '@godwit/core'
import type { MemcachedGuest } from './memcached-guest.ts'
import type { Place } from './place.ts'

/** What a guest needs of a relay. {@link Relay} is one; it may be another process's, too. */
export interface GuestRelay {
  /**
   * Resolves when no request is underway and none will be. What becomes of a relay is its own
   * affair: a guest is not kept from moving by one that has failed, so this does not reject.
   *
   * @param next - where the service will be, if it moves
   */
  hold(next: Place): Promise<unknown>
  /** Forwards what was held, and what comes, to the service there. */
  release(to: Place): void
}

/**
 * The relay holds before the guest is paused, and is released to it when it goes on here, or by
 * {@link handedOver} to where it went.
 */
export class RelayedGuest implements Guest {
  readonly identity: GuestIdentity
  readonly regions: readonly Region[]
  readonly trackers: readonly DirtyTracker[]
  /** Resolves, with the reason, when the guest dies; else never. */
  readonly failed: Promise<GodwitError>
  readonly #guest: MemcachedGuest
  readonly #relay: GuestRelay
  readonly #next: Place

  /** @param next - where the relay reaches the service at the destination */
  constructor(guest: MemcachedGuest, relay: GuestRelay, next: Place) {
    this.identity = guest.identity
    this.regions = guest.regions
    this.trackers = guest.trackers
    this.failed = guest.failed
    this.#guest = guest
    this.#relay = relay
    this.#next = next
  }

  /** What was forwarded is answered by the guest; then it is paused. */
  async pause(): Promise<void> {
    await this.#relay.hold(this.#next)
    await this.#guest.pause()
  }

  resume(): void {
    this.#guest.resume()
    this.#relay.release(this.#guest.place)
  }

  captureState(): Uint8Array {
    return this.#guest.captureState()
  }

  /** The guest runs at the destination; to be called as soon as that is known. */
  handedOver(): void {
    this.#relay.release(this.#next)
  }

  /** As {@link MemcachedGuest.stop}. */
  stop(): Promise<void> {
    return this.#guest.stop()
  }
}
