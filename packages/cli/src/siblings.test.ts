import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Catalog, parseRelease } from '@godwit/catalog'
import { GodwitError, allocateShared, toHex } from '@godwit/core'
import type { OfferedSet } from '@godwit/destination'
import { Learning, encodeStaticMap } from '@godwit/static'
import { learnSamples } from 'godwit'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Finders } from './siblings.ts'
import { findersOf } from './siblings.ts'

const pageBytes = 4096
const names = { os: 'a/1', hypervisor: 'b/1' }
const counts = { version: 2, entries: 1, positions: 1 }
const offer = { kind: 'map', ...names, ...counts, mode: 'content' } as const
const guest = { pageBytes, regions: [] }

/** A catalog with a map, and an agent that may look in it. */
interface Place {
  readonly finders: Finders
  readonly digest: string
  /** Of the connections that the agent opened, in order. */
  readonly opened: readonly Catalog[]
}

let folder = ''
const told: string[] = []
let place: Place

async function openPlace(): Promise<Place> {
  const url = join(folder, 'fleet.db')
  const catalog = await Catalog.open(url)
  const learning = Learning.begin({ ...names, pageBytes })
  const sample = { regions: [allocateShared(pageBytes).fill(1)] }
  await learnSamples(learning, [sample, sample])
  const map = { version: 2, bytes: encodeStaticMap(learning.map()!) }
  const pair = { os: parseRelease(names.os), hypervisor: parseRelease(names.hypervisor) }
  const learnt = { ...pair, pageBytes, fromRevision: 0, state: learning.encode(), map }
  await catalog.maps.learnt(learnt)
  const { digest } = (await catalog.maps.list())[0]!
  await catalog.close()
  const opened: Catalog[] = []
  const open = Catalog.open.bind(Catalog)
  vi.spyOn(Catalog, 'open').mockImplementation(async (...asked) => {
    const one = await open(...asked)
    opened.push(one)
    return one
  })
  return { finders: await findersOf({ catalog: url }, () => []), digest, opened }
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'godwit-siblings-'))
  told.length = 0
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => told.push(String(text)) > 0)
  place = await openPlace()
})

afterEach(async () => {
  await place.finders.close()
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true })
})

/** What is found for a source that has the map, or has not. */
function find(hasMap: boolean, name: Partial<typeof offer> | { os: string } = {}) {
  const provesSecret = (digest: Uint8Array): boolean => hasMap && toHex(digest) === place.digest
  const offered = { offer: { ...offer, ...name, proof: new Uint8Array(16) }, provesSecret }
  const offers = [offered as OfferedSet]
  return place.finders.finder!.find(offers, guest, new AbortController().signal)
}

describe('a map of the catalog', () => {
  it('is found for a source that has it', async () => {
    const [found] = await find(true)
    expect(found).toMatchObject({ index: 0, set: { pageBytes } })
    expect(told).toEqual([])
  })

  it('is not loaded for a source that only knows its name', async () => {
    await find(true, { os: 'other/1' })
    const { maps } = place.opened[0]!
    const loads = [vi.spyOn(maps, 'find'), vi.spyOn(maps, 'findDigest')]
    expect(await find(false)).toEqual([])
    for (const load of loads) expect(load).not.toHaveBeenCalled()
    expect(await find(true)).toHaveLength(1)
    expect(loads[1]).toHaveBeenCalledTimes(1)
    expect(place.opened).toHaveLength(1)
  })

  it.each(['a', 'a/b/c', 'ä/1', ''])('is not asked for where the pair is none: %j', async (os) => {
    expect(await find(true, { os })).toEqual([])
    expect([place.opened.length, told]).toEqual([0, []])
  })

  it.each([
    ['CATALOG_ENTRY', 1],
    ['CATALOG_UNAVAILABLE', 2],
  ] as const)('that cannot be had is told: %s; connections: %i', async (code, connections) => {
    await find(false)
    const failure = new GodwitError(code, 'it is so')
    vi.spyOn(place.opened[0]!.maps, 'findDigest').mockRejectedValueOnce(failure)
    expect(await find(true)).toEqual([])
    expect(told).toEqual([expect.stringMatching(`^godwit: ${code}: it is so .no static pages`)])
    expect(await find(true)).toHaveLength(1)
    expect(place.opened).toHaveLength(connections)
  })
})
