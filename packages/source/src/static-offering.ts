/**
 * Contents that a source knows by numbers, as its user hands them in.
 *
 * @module
 */
import type { StaticSet } from '@godwit/core'
import { GodwitError } from '@godwit/core'
import type { ImageKey } from '@godwit/wire'
import {
  IMAGES_MAX,
  IMAGE_ID_BYTES,
  IMAGE_TOKEN_BYTES,
  NAME_CHARS_MAX,
  STATIC_OFFERS_MAX,
  setNameOf,
} from '@godwit/wire'
import type { SourceOptions } from './options.ts'

/** A static map of the guest's operating system and hypervisor, of which others run elsewhere. */
export interface MapOffering {
  readonly kind: 'map'
  /** `NAME/VERSION`. */
  readonly os: string
  readonly hypervisor: string
  readonly version: number
  readonly set: StaticSet
  /** SHA-256 of the encoded map: the destination must have the very same. */
  readonly digest: Uint8Array
  /** By what a page is looked up: where it is, or what it holds. */
  readonly mode: 'position' | 'content'
}

/** A stored image of this guest, which the destination may have. */
export interface ImageOffering extends ImageKey {
  readonly kind: 'image'
}

export type StaticOffering = MapOffering | ImageOffering

const digestBytes = 32

/** @throws {GodwitError} `USAGE`: what no destination would take, or what is of no use */
export function checkOfferings({ static: all = [], images = [], encode }: SourceOptions): void {
  if (images.length > IMAGES_MAX || !images.every(isKey)) {
    throw new GodwitError('USAGE', `A guest brings at most ${IMAGES_MAX} stored images along`)
  }
  if (all.length === 0) return
  if (encode.raw) throw new GodwitError('USAGE', 'Pages that all go raw are not looked up')
  if (all.length > STATIC_OFFERS_MAX) {
    throw new GodwitError('USAGE', `At most ${STATIC_OFFERS_MAX} sets of static pages are offered`)
  }
  const names = new Set(all.map(setNameOf))
  if (names.size < all.length || !all.every(isOffer)) {
    throw new GodwitError(
      'USAGE',
      'A set of static pages is offered twice, or is not as it must be',
    )
  }
}

function isOffer(offering: StaticOffering): boolean {
  if (offering.kind === 'image') return isKey(offering)
  const { os, hypervisor, digest } = offering
  return isName(os) && isName(hypervisor) && digest.length === digestBytes
}

function isName(name: string): boolean {
  return name.length > 0 && name.length <= NAME_CHARS_MAX
}

function isKey({ id, token }: ImageKey): boolean {
  return id.length === IMAGE_ID_BYTES && token.length === IMAGE_TOKEN_BYTES
}
