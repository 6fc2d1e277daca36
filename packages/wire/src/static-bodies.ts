/**
 * What is said about contents that both ends know by numbers: parts of RESERVE, END, and
 * STATIC_HELD. Proofs and keyed hashes are made in `seal` and `codec`.
 *
 * @module
 */

/** The static map of a pair of operating system and hypervisor; both ends have it already. */
export interface MapOffer {
  readonly kind: 'map'
  /** `NAME/VERSION`, as `hypervisor`. */
  readonly os: string
  readonly hypervisor: string
  readonly version: number
  /** How many it has, and of those how many have a place. */
  readonly entries: number
  readonly positions: number
  /** Whether pages are known by their place or by what they hold, wherever that is. */
  readonly mode: 'position' | 'content'
  /** Of the map's digest. */
  readonly proof: Uint8Array
}

/** A stored image of the same guest. */
export interface ImageOffer {
  readonly kind: 'image'
  /** Chosen when it was stored; no secret. */
  readonly id: Uint8Array
  /** Of the image's token. */
  readonly proof: Uint8Array
}

export type StaticOffer = MapOffer | ImageOffer

/** Destination -> source, before RESERVED: which entries of a set it holds. */
export interface StaticHeld {
  /** Index of the offer in RESERVE. */
  readonly set: number
  /** The entry that it begins with. */
  readonly first: number
  /** Of a map: a bit for each entry, the lowest of a byte first. */
  readonly held?: Uint8Array | undefined
  /** Of an image: a keyed hash for each entry. */
  readonly hashes?: Uint8Array | undefined
}

/** A stored image of a guest, for whoever has the guest. */
export interface ImageKey {
  readonly id: Uint8Array
  /** Proves that one had the guest since; goes where the guest goes, and nowhere else. */
  readonly token: Uint8Array
}
