/**
 * What the suite has to know of an adapter.
 *
 * @module
 */
import type { Guest, GuestHost, IncomingGuest } from '@godwit/core'

/** A guest that runs. */
export interface SuiteGuest {
  readonly guest: Guest
  /**
   * A number that grows while the guest computes, and at no other time. Default: `guest.steps`,
   * which one of them must be.
   */
  readonly progress?: () => number
  /** Ends it, paused or not. */
  end(): void | Promise<void>
}

/** A host that has no guest yet. */
export interface SuiteHost {
  readonly host: GuestHost
  /** As {@link SuiteGuest.progress}, of the guest that arrived; default: its `steps`. */
  readonly progress?: (guest: IncomingGuest) => number
  /** Ends what is left. Guests that were reserved have been discarded. */
  end?(): void | Promise<void>
}

/** An adapter, and how to have it at work. */
export interface AdapterUnderTest {
  /**
   * A guest with 64 MiB of memory or less, which runs by itself: steps follow each other within
   * milliseconds. It stores to its memory all the time, unless {@link isReadOnly}.
   */
  startGuest(): Promise<SuiteGuest>
  /** A host with room for one guest of {@link startGuest}, and not for a second one beside it. */
  createHost(): SuiteHost | Promise<SuiteHost>
  /** The guest stores nothing: what is told of stores is not tried. */
  readonly isReadOnly?: boolean
  /** Default 4096. */
  readonly pageBytes?: number
  /**
   * State packages that the adapter must refuse, by what is wrong with them; `state` is a right
   * one. Default: empty, cut in several places, longer by a byte, other bytes of the same length.
   * Name at least another version where the package has one. None for a guest without state.
   */
  badStates?(state: Uint8Array): Readonly<Record<string, Uint8Array>>
  /**
   * Throws where a guest that arrived, and has gone on, did not compute what it would have at home.
   * It may stop it.
   *
   * @param source - paused, as it was handed over
   */
  verify?(arrived: IncomingGuest, source: Guest): Promise<void>
  /** How long anything may take; default 10 seconds. */
  readonly timeoutMs?: number
}
