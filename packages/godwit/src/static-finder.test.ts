import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NOT_HELD, toHex } from '@godwit/core'
import type { OfferedSet } from '@godwit/destination'
import { Learning, encodeStaticMap } from '@godwit/static'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { ImageDirectory } from './image-directory.ts'
import { nativeSha256 } from './native-bytes.ts'
import { PageScanner } from './page-scanner.ts'
import { learnSamples } from './sample.ts'
import type { SearchedSibling } from './sibling-search.ts'
import type { KnownMap, MapName } from './static-finder.ts'
import { NodeStaticFinder } from './static-finder.ts'

const folder = mkdtempSync(join(tmpdir(), 'godwit-finder-'))
afterAll(() => rmSync(folder, { recursive: true }))

const pageBytes = 4096
/** The one that is on its way. */
const guest = { pageBytes, regions: [] }
const signal = new AbortController().signal

/** Pages that are full of a number each. */
function memoryOf(...numbers: number[]): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(numbers.length * pageBytes))
  numbers.forEach((number, page) => bytes.fill(number, page * pageBytes, (page + 1) * pageBytes))
  return bytes
}

/** An offer of somebody who has this secret, and what he was asked about. */
function offered(offer: OfferedSet['offer'], secret: Uint8Array): OfferedSet & { asked: string[] } {
  const asked: string[] = []
  return {
    offer,
    asked,
    provesSecret(one) {
      asked.push(toHex(one))
      return toHex(one) === toHex(secret)
    },
  }
}

async function learned(): Promise<Uint8Array> {
  const learning = Learning.begin({ os: 'a/1', hypervisor: 'b/1', pageBytes })
  await learnSamples(learning, [{ regions: [memoryOf(1, 2, 3)] }, { regions: [memoryOf(1, 3, 5)] }])
  return encodeStaticMap(learning.map()!)
}

const knownMap = (bytes: Uint8Array): KnownMap => {
  return { digest: nativeSha256(bytes), load: async () => bytes }
}

const proof = new Uint8Array(16)
const mapOffer = {
  kind: 'map',
  os: 'a/1',
  hypervisor: 'b/1',
  version: 2,
  entries: 2,
  positions: 1,
  mode: 'content',
  proof,
} as const

describe('a finder', () => {
  it('finds the contents of a map that it has, in the siblings that are here now', async () => {
    const map = await learned()
    const names: MapName[] = []
    const searched: SearchedSibling[] = []
    const finder = new NodeStaticFinder({
      findMap: async (name) => {
        names.push(name)
        return knownMap(map)
      },
      siblings: () => [{ name: 'sibling', regions: [memoryOf(9, 3)] }],
      onSearched: (siblings) => searched.push(...siblings),
    })
    const found = await finder.find([offered(mapOffer, nativeSha256(map))], guest, signal)
    expect(names).toEqual([{ os: 'a/1', hypervisor: 'b/1', version: 2, pageBytes }])
    expect(found.map(({ index, set }) => [index, set.hashes.length])).toEqual([[0, 64]])
    expect([...found[0]!.places.origin]).toEqual([NOT_HELD, 0])
    expect(searched).toEqual([{ name: 'sibling', heldEntries: 1 }])
  })

  it('has looked through files before it is asked, where it was told to prepare', async () => {
    const map = await learned()
    const file = join(folder, 'sibling.ram')
    writeFileSync(file, memoryOf(9, 3))
    const scan = vi.spyOn(PageScanner.prototype, 'scan')
    const finder = new NodeStaticFinder({ maps: [map], siblings: [{ file }] })
    await finder.prepare(map, [{ file }])
    expect(scan).toHaveBeenCalledTimes(1)
    const [found] = await finder.find([offered(mapOffer, nativeSha256(map))], guest, signal)
    expect([...found!.places.origin]).toEqual([NOT_HELD, 0])
    expect(scan).toHaveBeenCalledTimes(1)
    scan.mockRestore()
  })

  it('looks into nobody’s memory for a map that the source has not proved to have', async () => {
    const map = await learned()
    const asked = vi.fn<() => Promise<never>>(() => Promise.reject(new Error('was asked')))
    const finder = new NodeStaticFinder({
      findMap: async () => ({ ...knownMap(map), load: asked }),
      siblings: asked,
    })
    const wrong = offered(mapOffer, new Uint8Array(32))
    expect(await finder.find([wrong], guest, signal)).toEqual([])
    expect(wrong.asked).toEqual([toHex(nativeSha256(map))])
    expect(asked).not.toHaveBeenCalled()
  })

  it('finds an image of the same guest for who has its token, and tells of no other', async () => {
    const images = await ImageDirectory.open(join(folder, 'images'))
    const regions = [{ id: 0, name: 'ram', bytes: memoryOf(1, 0, 2) }]
    const identity = { kind: 'writer', options: {} }
    const kept = await images.store({ identity, regions, pageBytes })
    const finder = new NodeStaticFinder({ images })
    const offer = { kind: 'image', id: kept.id, proof } as const
    const find = (one: OfferedSet, bytes = pageBytes) =>
      finder.find([offered(mapOffer, kept.token), one], { ...guest, pageBytes: bytes }, signal)
    const [found] = await find(offered(offer, kept.token))
    expect(found).toMatchObject({ index: 1 })
    expect([...found!.set.positions]).toEqual([0, 2])
    expect(await find(offered(offer, new Uint8Array(32)))).toEqual([])
    const other = offered({ ...offer, id: new Uint8Array(16) }, kept.token)
    expect([await find(other), other.asked]).toEqual([[], []])
    expect(await find(offered(offer, kept.token), 8192)).toEqual([])
  })

  it('goes on without an image that is damaged', async () => {
    const images = await ImageDirectory.open(join(folder, 'damaged'))
    const regions = [{ id: 0, name: 'ram', bytes: memoryOf(1) }]
    const guest = { identity: { kind: 'writer', options: {} }, regions, pageBytes }
    const { id, token } = await images.store(guest)
    const file = join(folder, 'damaged', `${toHex(id)}.image`, 'hashes')
    const searched: SearchedSibling[] = []
    const finder = new NodeStaticFinder({
      images,
      onSearched: (siblings) => searched.push(...siblings),
    })
    truncateSync(file, 1)
    truncateSync(file, 33)
    expect(
      await finder.find(
        [offered({ kind: 'image', id, proof }, token)],
        { pageBytes, regions: [] },
        signal,
      ),
    ).toEqual([])
    expect(searched).toMatchObject([
      { name: 'image', failure: expect.stringMatching(/hashes are damaged/) },
    ])
  })

  it('takes no map whose bytes are not those of its digest', async () => {
    const map = await learned()
    const searched: SearchedSibling[] = []
    const load = async (): Promise<Uint8Array> => map.slice(1)
    const finder = new NodeStaticFinder({
      findMap: async () => ({ ...knownMap(map), load }),
      onSearched: (siblings) => searched.push(...siblings),
    })
    expect(await finder.find([offered(mapOffer, nativeSha256(map))], guest, signal)).toEqual([])
    const failure = expect.stringMatching(/another digest/)
    expect(searched).toEqual([{ name: 'the map of a/1 on b/1', heldEntries: 0, failure }])
  })

  it('hashes the maps that it knows once', async () => {
    const map = await learned()
    const digests: Uint8Array[] = []
    const provesSecret = (one: Uint8Array): boolean => digests.push(one) < 0
    const finder = new NodeStaticFinder({ maps: [map] })
    for (let i = 0; i < 2; i++)
      await finder.find([{ offer: mapOffer, provesSecret }], guest, signal)
    expect(digests[0]).toEqual(nativeSha256(map))
    expect(digests[1]).toBe(digests[0])
  })
})

describe('one of several sets', () => {
  const unavailable = (): Promise<never> => Promise.reject(new Error('the catalog is gone'))
  const never = (): Promise<never> => new Promise(() => {})

  /** A guest's image here, and both offers of its source. */
  async function keptImage() {
    const images = await ImageDirectory.open(join(folder, 'several'))
    const regions = [{ id: 0, name: 'ram', bytes: memoryOf(1, 2) }]
    const kept = await images.store({
      identity: { kind: 'writer', options: {} },
      regions,
      pageBytes,
    })
    const image = offered({ kind: 'image', id: kept.id, proof }, kept.token)
    return { images, offers: [offered(mapOffer, new Uint8Array(32)), image] }
  }

  it.each([
    ['fails', unavailable, 10_000, 'the catalog is gone'],
    ['does not answer', never, 500, 'there was no time for it'],
  ])('is found where the look-up of another %s', async (_, findMap, siblingSearchMs, failure) => {
    const { images, offers } = await keptImage()
    const searched: SearchedSibling[] = []
    const finder = new NodeStaticFinder({
      images,
      findMap,
      siblingSearchMs,
      onSearched: (siblings) => searched.push(...siblings),
    })
    const found = await finder.find(offers, guest, signal)
    expect(found.map(({ index }) => index)).toEqual([1])
    expect(searched).toEqual([{ name: 'the map of a/1 on b/1', heldEntries: 0, failure }])
  })

  it('is found before a map is looked up: an image takes no time', async () => {
    const { images, offers } = await keptImage()
    const load = vi.spyOn(images, 'load')
    const findMap = vi.fn<() => Promise<undefined>>(async () => {
      expect(load).toHaveBeenCalledTimes(1)
      return undefined
    })
    await new NodeStaticFinder({ images, findMap }).find(offers, guest, signal)
    expect(findMap).toHaveBeenCalledTimes(1)
  })

  it('has its share of the time of all', async () => {
    const deadline = vi.spyOn(AbortSignal, 'timeout')
    const offers = [1, 2, 3].map((version) => offered({ ...mapOffer, version }, new Uint8Array(32)))
    const finder = new NodeStaticFinder({ findMap: never, siblingSearchMs: 20 })
    expect(await finder.find(offers, guest, signal)).toEqual([])
    expect(deadline.mock.calls).toEqual([[20]])
    deadline.mockRestore()
  })
})
