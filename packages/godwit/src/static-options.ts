/**
 * Static pages as `send` and `receive` take them: a map, siblings, stored images.
 *
 * @module
 */
import type { GodwitError, Guest, Report } from '@godwit/core'
import { toGodwitError } from '@godwit/core'
import type { StaticFinder } from '@godwit/destination'
import type { MapOffering, SourceOptions } from '@godwit/source'
import type { SiblingMode } from '@godwit/static'
import { decodeStaticMap } from '@godwit/static'
import type { ImageKey } from '@godwit/wire'
import { IMAGES_MAX, STATIC_OFFERS_MAX } from '@godwit/wire'
import type { ImageDirectory } from './image-directory.ts'
import { createImageKey } from './image-directory.ts'
import { nativeSha256 } from './native-bytes.ts'
import type { StaticFinderOptions } from './static-finder.ts'
import { NodeStaticFinder } from './static-finder.ts'

/** What a source knows of its guest that the destination may have, too. */
export interface SendStatic {
  /**
   * What guests of this operating system and hypervisor have in common, as `encodeStaticMap` writes
   * it. Of use where the destination has the very same map.
   */
  readonly map?: Uint8Array | MapOffering
  /** Whether pages are looked up by what they hold (default) or by where they are. */
  readonly mode?: SiblingMode
  /**
   * Stored images of this guest, newest first: `images` of the migration that it came by. They are
   * offered, and go along with it.
   */
  readonly images?: readonly ImageKey[]
  /** More of them, for its next moves: they go along, and nothing is looked up in them now. */
  readonly carriedImages?: readonly ImageKey[]
  /**
   * Where the guest's memory is kept once it has moved, for when it comes back. The migration
   * resolves when it is: until then nobody may store to it.
   */
  readonly keepImage?: ImageDirectory
  /** What became of that: kept, or why not. */
  readonly onKept?: (failure: GodwitError | undefined) => void
}

/**
 * A map, ready to be offered.
 *
 * @throws {GodwitError} `FILE_UNREADABLE`, `LIMIT_EXCEEDED`: it is none
 */
export function mapOffering(bytes: Uint8Array, mode: SiblingMode = 'content'): MapOffering {
  const set = decodeStaticMap(bytes)
  const { os, hypervisor, version } = set
  return { kind: 'map', os, hypervisor, version, set, digest: nativeSha256(bytes), mode }
}

/** What a source is given of it, and what is left to do at its end. */
export class OfferedPast {
  readonly options: Pick<SourceOptions, 'static' | 'images'>
  readonly #settings: SendStatic
  readonly #key: ImageKey | undefined

  /** @throws {GodwitError} as {@link mapOffering} */
  constructor(settings: SendStatic) {
    const { map, mode, images = [], carriedImages = [], keepImage } = settings
    const maps = map === undefined ? [] : [map instanceof Uint8Array ? mapOffering(map, mode) : map]
    const known = images.map((image) => ({ kind: 'image', ...image }) as const)
    this.#settings = settings
    this.#key = keepImage === undefined ? undefined : createImageKey()
    const own = this.#key === undefined ? [] : [this.#key]
    this.options = {
      static: [...maps, ...known].slice(0, STATIC_OFFERS_MAX),
      images: [...own, ...images, ...carriedImages].slice(0, IMAGES_MAX),
    }
  }

  /**
   * The migration is over. Never rejects.
   *
   * @param pageBytes - of the migration
   */
  async end({ outcome, error }: Report, guest: Guest, pageBytes: number): Promise<void> {
    const { keepImage, onKept } = this.#settings
    // Whoever has the guest heard of the image only if all went well.
    if (keepImage === undefined || outcome !== 'completed' || error !== undefined) return
    const { identity, regions } = guest
    try {
      await keepImage.store({ identity, regions, pageBytes }, this.#key)
      onKept?.(undefined)
    } catch (thrown) {
      onKept?.(toGodwitError(thrown))
    }
  }
}

/** Who looks at a destination. */
export function finderOf(known: StaticFinder | StaticFinderOptions): StaticFinder {
  return 'find' in known ? known : new NodeStaticFinder(known)
}
