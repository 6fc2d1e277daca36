/**
 * What both ends know by numbers, and a sibling at the destination that has most of it.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import type { StaticContents } from '@godwit/codec'
import { Workspace, createPrimitives } from '@godwit/codec'
import { CONTENT_HASH_BYTES, FingerprintTable, NOT_HELD, allocateShared } from '@godwit/core'
import { seededRandom } from '@godwit/testkit'
import { contentOf } from '../contents.ts'
import { PAGE_BYTES } from './world.ts'

/** Of a set that the sibling has some of, and of one that it has nothing of. */
const heldSetCount = 24
const otherSetCount = 4
export const KNOWN_END: number = heldSetCount + otherSetCount

const random = seededRandom(3)
const contents: readonly Uint8Array[] = Array.from({ length: heldSetCount }, () => {
  return contentOf(PAGE_BYTES, random)
})

const isHeld = (entry: number): boolean => entry < heldSetCount && entry % 8 !== 7
/** There is something else by now. */
const isStale = (entry: number): boolean => entry % 8 === 5

/** What an entry stands for; undefined for one that must not be named. */
export function knownContent(entry: number): Uint8Array | 'lacking' | undefined {
  if (!isHeld(entry)) return undefined
  return isStale(entry) ? 'lacking' : contents[entry]
}

const portable = await createPrimitives()

/** XXH3 with seed 0, its low word, and SHA-256. */
function contentHash(page: Uint8Array): Uint8Array {
  const xxh3 = new Workspace(portable, 0).createHasher('xxh3', new Uint8Array(8))
  const table = new FingerprintTable(1, 8)
  xxh3.hashPages(page, 0, page.length, PAGE_BYTES, table, 0)
  const hash = new Uint8Array(CONTENT_HASH_BYTES)
  hash.set(table.bytes.subarray(0, 4))
  hash.set(createHash('sha256').update(page).digest().subarray(0, 28), 4)
  return hash
}

/** What a destination is given of it. */
export const staticContents: StaticContents = ((): StaticContents => {
  const hashes = allocateShared(heldSetCount * CONTENT_HASH_BYTES)
  const sibling = allocateShared(heldSetCount * PAGE_BYTES)
  for (const [entry, content] of contents.entries()) {
    hashes.set(contentHash(content), entry * CONTENT_HASH_BYTES)
    sibling.set(content, entry * PAGE_BYTES)
    if (isStale(entry)) sibling[entry * PAGE_BYTES + 1234]! ^= 1
  }
  const origin = Uint8Array.from(contents, (_, entry) => (isHeld(entry) ? 0 : NOT_HELD))
  const page = Uint32Array.from(contents, (_, entry) => entry)
  const held = { hashes, places: { origins: [sibling], origin, page } }
  return {
    sets: [
      { entryCount: heldSetCount, held },
      { entryCount: otherSetCount, held: undefined },
    ],
  }
})()
