/**
 * Siblings of which nothing is left when it is needed: everything is asked for once more, on lanes
 * of one thread and of several, out of memory and out of files.
 */
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CONTENT_HASH_BYTES, allocateShared } from '@godwit/core'
import type { FoundSet, OfferedSet, StaticFinder } from '@godwit/destination'
import { randomBytes } from '@godwit/testkit'
import { receive, send } from 'godwit'
import { expect, it } from 'vitest'
import { difference } from './shadow.ts'
import { hashesOf, mapOffering, pageBytes } from './static-sibling.ts'

/** Each has a batch of its own: more than there may be that lack something without static pages. */
const regionCount = 300

const memory = Array.from({ length: regionCount }, (_, i) => {
  const bytes = allocateShared(pageBytes)
  bytes.set(randomBytes(pageBytes, i))
  return bytes
})

/** One page of each region. */
const all = allocateShared(regionCount * pageBytes)
for (const [i, bytes] of memory.entries()) all.set(bytes, i * pageBytes)
const set = { pageBytes, hashes: hashesOf(all), positions: new Uint32Array(0) }
const entryCount = set.hashes.length / CONTENT_HASH_BYTES
const offering = mapOffering('content', set)

/** Finds all of it at one place; then something happens there. */
class Finder implements StaticFinder {
  readonly #origin: Uint8Array | string
  readonly #then: () => void | Promise<void>

  constructor(origin: Uint8Array | string, then: () => void | Promise<void>) {
    this.#origin = origin
    this.#then = then
  }

  async find(offers: readonly OfferedSet[]): Promise<readonly FoundSet[]> {
    if (!offers[0]!.provesSecret(offering.digest)) return []
    const origin = allocateShared(entryCount)
    const page = new Uint32Array(allocateShared(entryCount * 4).buffer)
    for (let entry = 0; entry < entryCount; entry++) page[entry] = entry
    await this.#then()
    return [{ index: 0, set, places: { origins: [this.#origin], origin, page } }]
  }
}

/** Moves the guest. @returns pages that were named, and those that came once more */
async function move(finder: Finder, lanes: number): Promise<[number, number]> {
  const arrival = memory.map(() => allocateShared(pageBytes))
  const receiver = await receive(
    { memory: arrival },
    { listen: '127.0.0.1:0', lanes, static: finder },
  )
  const source = await send(
    { memory, pause: async () => {}, resume() {} },
    { to: receiver.address, lanes, static: { map: offering } },
  )
  expect(source.error).toBeUndefined()
  expect((await receiver.arrival()).static).toMatchObject({ heldEntries: regionCount })
  await receiver.close()
  expect(difference(arrival, memory)).toBeUndefined()
  const { pages, repairedPages } = source.static!
  return [pages, repairedPages!]
}

it.each([1, 2])('memory that others have by now, with lanes: %i', async (lanes) => {
  const sibling = allocateShared(all.length)
  const finder = new Finder(sibling, () => void sibling.fill(7))
  expect(await move(finder, lanes)).toEqual([regionCount, regionCount])
})

it.each([
  ['is as it was', regionCount * pageBytes, 0],
  ['lost half', (regionCount / 2) * pageBytes, regionCount / 2],
])('a file that %s', async (_, byteLength, repaired) => {
  const folder = await mkdtemp(join(tmpdir(), 'godwit-static-'))
  const file = join(folder, 'memory')
  await writeFile(file, all)
  const finder = new Finder(file, () => truncate(file, byteLength))
  expect(await move(finder, 1)).toEqual([regionCount, repaired])
  await rm(folder, { recursive: true })
})
