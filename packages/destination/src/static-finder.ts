/**
 * Who looks for contents that are here already, for sources that have offered them.
 *
 * @module
 */
import type { StaticPlaces, StaticSet } from '@godwit/core'
import type { RegionEntry, StaticOffer } from '@godwit/wire'

/** A set that a source offers. */
export interface OfferedSet {
  readonly offer: StaticOffer
  /**
   * Whether a secret is the one by which the source has proved that it has the set: the digest of a
   * map, or the token of an image. Nothing of a set is told unless one was found.
   */
  readonly provesSecret: (secret: Uint8Array) => boolean
}

/** A set that is known here, and where its contents are. */
export interface FoundSet {
  /** Of the offer. */
  readonly index: number
  readonly set: StaticSet
  readonly places: StaticPlaces
}

/** The guest that is on its way. */
export interface StaticGuest {
  readonly pageBytes: number
  readonly regions: readonly RegionEntry[]
}

/** Threads and files are its own business; the agent bounds its time, and an error is nothing. */
export interface StaticFinder {
  /** @param signal - aborted when nobody waits for the answer any more */
  find(
    offers: readonly OfferedSet[],
    guest: StaticGuest,
    signal: AbortSignal,
  ): Promise<readonly FoundSet[]>
}
