/**
 * Schemas of what is said about contents that both ends know by numbers.
 *
 * @module
 */
import { isReleaseName } from '@godwit/core'
import * as v from 'valibot'
import { exactly, records, u32, uint } from './fields.ts'
import {
  IMAGES_MAX,
  IMAGE_ID_BYTES,
  IMAGE_TOKEN_BYTES,
  STATIC_ENTRIES_MAX,
  STATIC_HASH_BYTES,
  STATIC_HELD_BYTES_MAX,
  STATIC_OFFERS_MAX,
  STATIC_PROOF_BYTES,
} from './limits.ts'
import type { ImageKey, ImageOffer, MapOffer, StaticHeld, StaticOffer } from './static-bodies.ts'

const id = exactly(IMAGE_ID_BYTES)
const proof = exactly(STATIC_PROOF_BYTES)
/** Shown to people: a terminal obeys none of it. */
const release = v.pipe(
  v.string(),
  v.check((text) => isReleaseName(text)),
)
const entries = uint(STATIC_ENTRIES_MAX)

const map = v.pipe(
  v.object({
    kind: v.literal('map'),
    os: release,
    hypervisor: release,
    version: u32,
    entries: v.pipe(entries, v.minValue(1)),
    positions: entries,
    mode: v.picklist(['position', 'content']),
    proof,
  }),
  v.check((offer) => offer.positions <= offer.entries),
)
const image = v.object({ kind: v.literal('image'), id, proof })

/** `static` of RESERVE: no set twice. */
export const staticOffers: v.GenericSchema<readonly StaticOffer[]> = v.pipe(
  v.array(v.union([map, image])),
  v.minLength(1),
  v.maxLength(STATIC_OFFERS_MAX),
  v.check((offers) => new Set(offers.map(setNameOf)).size === offers.length),
  v.check((offers) => new Set(offers.map((one) => String(one.proof))).size === offers.length),
)

/** What tells a set from others of one RESERVE. */
export function setNameOf(
  offer: Pick<ImageOffer, 'kind' | 'id'> | Pick<MapOffer, 'kind' | 'os' | 'hypervisor' | 'version'>,
): string {
  if (offer.kind === 'image') return String(offer.id)
  return JSON.stringify([offer.os, offer.hypervisor, offer.version])
}

/** STATIC_HELD has one of the two. */
export const staticHeld: v.GenericSchema<StaticHeld> = v.pipe(
  v.object({
    set: uint(STATIC_OFFERS_MAX - 1),
    first: entries,
    held: v.optional(records(1, STATIC_HELD_BYTES_MAX)),
    hashes: v.optional(records(STATIC_HASH_BYTES, STATIC_HELD_BYTES_MAX)),
  }),
  v.check(({ held, hashes }) => (held === undefined) !== (hashes === undefined)),
)

/** `images` of END. */
export const imageKeys: v.GenericSchema<readonly ImageKey[]> = v.pipe(
  v.array(v.object({ id, token: exactly(IMAGE_TOKEN_BYTES) })),
  v.minLength(1),
  v.maxLength(IMAGES_MAX),
)
