/**
 * A guest, and a sibling of it at the destination: pages that both have, some at the same place.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import type { StaticPlaces, StaticSet } from '@godwit/core'
import { CONTENT_HASH_BYTES, NOT_HELD, allocateShared } from '@godwit/core'
import { Workspace } from '@godwit/codec'
import type { FoundSet, OfferedSet, StaticFinder, StaticGuest } from '@godwit/destination'
import type { ImageOffering, MapOffering } from '@godwit/source'
import { randomBytes } from '@godwit/testkit'
import { nodePrimitives } from 'godwit'
import { ShadowGuest } from './shadow.ts'

export const pageBytes = 4096
const primitives = await nodePrimitives()

const contents = new Map<number, Uint8Array>()

/** A page that nobody has by chance. */
export function content(number: number): Uint8Array {
  const bytes = contents.get(number) ?? randomBytes(pageBytes, 1000 + number)
  contents.set(number, bytes)
  return bytes
}

/** Pages one behind the other, in shared memory; undefined: zeros. */
export function memoryOf(pages: readonly (number | undefined)[], moreBytes = 0): Uint8Array {
  const bytes = allocateShared(pages.length * pageBytes + moreBytes)
  for (const [page, number] of pages.entries()) {
    if (number !== undefined) bytes.set(content(number), page * pageBytes)
  }
  bytes.set(randomBytes(moreBytes, 7), pages.length * pageBytes)
  return bytes
}

const from = (first: number, count: number): number[] => {
  return Array.from({ length: count }, (_, i) => first + i)
}

/** Of the first: at the same place in both. Then: somewhere else. The rest is each side's own. */
export const samePlace = 32
export const shared = 48
const zeros = Array.from({ length: 4 }, () => undefined)

/** Contents 0 to 47, eight of them twice; own ones, zeros, and a page that is short. */
export function siblingGuest(): ShadowGuest {
  const first = [...from(0, shared), ...from(200, 12), ...zeros]
  return new ShadowGuest([memoryOf(first), memoryOf([...from(0, 8), ...from(300, 8)], 100)])
}

/** How many of its pages are contents of the map. */
export const sharedPages: number = shared + 8

/** Memory of the sibling that runs at the destination. */
export function siblingMemory(): Uint8Array {
  return memoryOf([...from(0, samePlace), ...from(400, 5), ...from(samePlace, 16).reverse()])
}

/** Content hash of whole pages. */
export function hashesOf(bytes: Uint8Array, size: number = pageBytes): Uint8Array {
  const pages = Math.floor(bytes.length / size)
  const hashes = allocateShared(pages * CONTENT_HASH_BYTES)
  const workspace = new Workspace(primitives, size)
  const staged = workspace.allocate(size)
  const hasher = workspace.createContentHasher(size, 1)
  for (let page = 0; page < pages; page++) {
    staged.set(bytes.subarray(page * size, (page + 1) * size))
    hasher.look(staged.byteOffset, size)
    hasher.finish(0, staged)
    hashes.set(hasher.bytes, page * CONTENT_HASH_BYTES)
  }
  return hashes
}

/** Of {@link siblingGuest} and its siblings: all that they share, and ten that nobody has. */
export function siblingSet(): StaticSet {
  const positions = new Uint32Array(allocateShared(samePlace * 4).buffer)
  positions.set(from(0, samePlace))
  return {
    pageBytes,
    hashes: hashesOf(memoryOf([...from(0, shared), ...from(500, 10)])),
    positions,
  }
}

/** As a source offers it. The digest stands for that of an encoded map. */
export function mapOffering(
  mode: 'position' | 'content',
  set: StaticSet = siblingSet(),
  version = 2,
): MapOffering {
  const digest = createHash('sha256').update(set.hashes).update(`${version}`).digest()
  const pair = { os: 'debian/13', hypervisor: 'qemu/10' }
  return { kind: 'map', ...pair, version, set, digest: new Uint8Array(digest), mode }
}

/** Whole pages of an image that are not zero. */
export interface KnownImage extends ImageOffering {
  readonly set: StaticSet
  readonly places: StaticPlaces
}

/** An image as it is stored. */
export function imageOf(bytes: Uint8Array, seed = 1): KnownImage {
  const set = { pageBytes, hashes: hashesOf(bytes), positions: new Uint32Array(0) }
  const places = placesIn(set, bytes)
  return { kind: 'image', id: randomBytes(16, seed), token: randomBytes(32, seed), set, places }
}

/** Where the entries of a set are in memory. */
export function placesIn(set: StaticSet, memory: Uint8Array): StaticPlaces {
  const keys = (hashes: Uint8Array): string[] => {
    return from(0, hashes.length / CONTENT_HASH_BYTES).map((entry) => {
      const at = entry * CONTENT_HASH_BYTES
      return String(hashes.subarray(at, at + CONTENT_HASH_BYTES))
    })
  }
  const pages = new Map(keys(hashesOf(memory)).map((key, page) => [key, page]))
  const found = keys(set.hashes).map((key) => pages.get(key))
  const origin = allocateShared(found.length)
  const page = new Uint32Array(allocateShared(found.length * 4).buffer)
  origin.set(found.map((one) => (one === undefined ? NOT_HELD : 0)))
  page.set(found.map((one) => one ?? 0))
  return { origins: [memory], origin, page }
}

/** Knows maps, images, and one sibling; and what it was asked. */
export class SiblingFinder implements StaticFinder {
  readonly asked: { offers: readonly OfferedSet[]; guest: StaticGuest }[] = []
  readonly signals: AbortSignal[] = []
  readonly #maps: readonly MapOffering[]
  readonly #images: readonly KnownImage[]
  readonly #memory: Uint8Array

  constructor(
    memory: Uint8Array,
    maps: readonly MapOffering[] = [],
    images: readonly KnownImage[] = [],
  ) {
    this.#memory = memory
    this.#maps = maps
    this.#images = images
  }

  async find(
    offers: readonly OfferedSet[],
    guest: StaticGuest,
    signal: AbortSignal,
  ): Promise<readonly FoundSet[]> {
    this.asked.push({ offers, guest })
    this.signals.push(signal)
    return offers.flatMap((one, index): FoundSet[] => {
      if (one.offer.kind === 'image') {
        const image = this.#images.find(({ token }) => one.provesSecret(token))
        return image === undefined ? [] : [{ index, set: image.set, places: image.places }]
      }
      const set = this.#maps.find(({ digest }) => one.provesSecret(digest))?.set
      return set === undefined ? [] : [{ index, set, places: placesIn(set, this.#memory) }]
    })
  }
}
