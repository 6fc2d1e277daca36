import { FingerprintTable } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { changed, randomContent } from '../test/content.ts'
import { Rig } from '../test/rig.ts'
import { createPrimitives } from './primitives.ts'
import { VersionCache, cacheBytesFor } from './version-cache.ts'
import { Workspace } from './workspace.ts'

const primitives = await createPrimitives()
const pageBytes = 4096

/** A cache, and what a lane does with it for a page that is dirty. */
class Player {
  readonly cache: VersionCache
  readonly #sent: FingerprintTable
  readonly #page = new Uint8Array(pageBytes)
  round = 0

  constructor(cachePages: number, guestPages: number) {
    const workspace = new Workspace(primitives, cacheBytesFor(cachePages * pageBytes, pageBytes))
    this.cache = new VersionCache(workspace, cachePages * pageBytes, pageBytes, guestPages)
    this.#sent = new FingerprintTable(guestPages, 8)
  }

  /** A round with these pages. @returns the share of those that were found */
  play(pages: readonly number[]): number {
    const { hits } = this.cache.counts
    this.cache.beginRound(++this.round)
    for (const page of pages) {
      const isKnown = this.round > 1
      if (isKnown) {
        this.cache.touch(page)
        this.cache.find(page, this.#sent, page)
      }
      this.#sent.words32.set([this.round, page], page * 2)
      const place = this.cache.take(page)
      if (place >= 0) this.cache.store(place, this.#page, 0, pageBytes, this.#sent, page)
    }
    return (this.cache.counts.hits - hits) / pages.length
  }
}

/** What an LRU of the same size finds in each round. */
function playLru(cachePages: number, rounds: readonly (readonly number[])[]): number[] {
  const kept = new Set<number>()
  return rounds.map((pages) => {
    let hits = 0
    for (const page of pages) {
      if (kept.delete(page)) hits++
      else if (kept.size === cachePages) kept.delete(kept.keys().next().value!)
      kept.add(page)
    }
    return hits / pages.length
  })
}

const sequence = (from: number, count: number): number[] => {
  return Array.from({ length: count }, (_, i) => from + i)
}

describe('a sweep over more than there is room for', () => {
  // 100 MiB through 64 MiB, sixteen times smaller.
  const [cachePages, guestPages] = [1024, 1600]
  const rounds = Array.from({ length: 12 }, () => sequence(0, guestPages))

  it('finds what there is room for in every round; a cache of the last ones nothing', () => {
    const player = new Player(cachePages, guestPages)
    expect(rounds.map((pages) => player.play(pages))).toEqual([0, ...Array(11).fill(0.64)])
    expect(playLru(cachePages, rounds)).toEqual(Array(12).fill(0))
    expect(player.cache.counts).toMatchObject({ evicted: 0, refused: 12 * (1600 - 1024) })
  })

  it('finds as much whatever it held before', () => {
    const player = new Player(cachePages, guestPages)
    player.play(sequence(0, guestPages).reverse())
    const shares = rounds.map((pages) => player.play(pages))
    expect(shares.slice(3)).toEqual(Array(9).fill(0.64))
  })
})

describe('a working set', () => {
  it('is taken in beside pages that were dirty once, in one round', () => {
    const player = new Player(64, 4096)
    player.play(sequence(0, 4096))
    const set = sequence(2000, 64)
    expect([2, 3, 4].map(() => player.play(set))).toEqual([0, 1, 1])
    expect(player.cache.counts.evicted).toBe(64)
  })

  it('that moves is taken in when it was dirty more often than the old one lately', () => {
    const player = new Player(64, 4096)
    player.play(sequence(0, 4096))
    const [old, moved] = [sequence(1000, 64), sequence(3000, 64)]
    while (player.round < 10) player.play(old)
    let rounds = 1
    while (player.play(moved) < 1) rounds++
    expect(rounds).toBeLessThanOrEqual(8)
    expect(player.play(old)).toBe(0)
  })

  it('is not pushed out by pages that come and go', () => {
    const player = new Player(64, 4096)
    const set = sequence(0, 64)
    player.play(set)
    for (let round = 0; round < 6; round++) {
      const shares = player.play([...set, ...sequence(100 + round * 64, 64)])
      expect(shares).toBe(0.5)
    }
  })

  it('larger than counts go is counted as far as they do', () => {
    const player = new Player(8, 16)
    for (let page = 0; page < 8; page++) player.cache.touch(page)
    player.play(sequence(0, 8))
    for (let i = 0; i < 256; i++) player.cache.touch(9)
    expect([player.play([9]), player.play([9])]).toEqual([0, 1])
  })
})

describe('VersionCache', () => {
  it('keeps what it was given, at the place of each page, and forgets marks that differ', () => {
    const workspace = new Workspace(primitives, cacheBytesFor(16 * pageBytes, pageBytes))
    const cache = new VersionCache(workspace, 16 * pageBytes, pageBytes, 100)
    expect([cache.capacity, cache.used]).toEqual([16, 0])
    const table = new FingerprintTable(100, 32)
    table.bytes.set(randomContent(table.bytes.length, 1))
    const content = randomContent(pageBytes, 2)
    for (const page of [0, 1, 50, 99]) {
      const place = cache.take(page)
      cache.store(place, content, page, pageBytes - page, table, page)
      expect([cache.pageAt(place), cache.placeOf(page), cache.find(page, table, page)]).toEqual([
        page,
        place,
        place,
      ])
      const at = cache.offsetOf(place)
      const kept = cache.bytes.subarray(at, at + pageBytes - page)
      expect(Buffer.compare(kept, content.subarray(page))).toBe(0)
    }
    for (const word of [0, 1]) {
      table.words32[50 * 8 + word]! ^= 1
      expect(cache.find(50, table, 50)).toBe(-1)
      table.words32[50 * 8 + word]! ^= 1
    }
    expect(cache.counts).toMatchObject({ hits: 4, misses: 2 })
    expect([cache.used, cache.pageAt(15)]).toEqual([4, undefined])
  })

  it.each([1, 7, 8, 9, 100])('takes no more than %i pages when it is told so', (pages) => {
    const workspace = new Workspace(primitives, cacheBytesFor(pages * pageBytes, pageBytes))
    const cache = new VersionCache(workspace, pages * pageBytes, pageBytes, 1000)
    for (let page = 0; page < 1000; page++) cache.take(page)
    expect(cache.used).toBeLessThanOrEqual(pages)
    expect(cache.bytes.length).toBeLessThanOrEqual(pages * pageBytes)
  })
})

describe('`admit=marked`', () => {
  const guestPages = 48

  function play(encode: string): Rig {
    const rig = new Rig({
      lengths: [guestPages * pageBytes],
      encode,
      cachePages: 16,
      storePages: 8,
    })
    for (let page = 0; page < guestPages; page++) rig.store(0, page, randomContent(pageBytes, page))
    // Three are stored to before their turn and after it, two only after theirs.
    let step = 0
    const stores = [[40, 41, 42], [], [1, 2, 40, 41, 42]]
    const during = (): void => {
      for (const page of stores[step++] ?? []) rig.store(0, page, changed(rig.page(0, page), 2, 1))
    }
    rig.lanes[0]!.encoder.limitBatches(16)
    rig.round({ during, again: true })
    return rig
  }

  it('keeps of round 1 only pages that were dirty again before their turn', () => {
    const marked = play('same,delta,admit=marked')
    expect(marked.lanes[0]!.encoder.heldBytes.cache).toBe(3 * pageBytes)
    expect(marked.round().tally).toMatchObject({ deltaPages: 3, rawPages: 2 })
    const all = play('same,delta')
    expect(all.lanes[0]!.encoder.heldBytes.cache).toBe(16 * pageBytes)
  })

  it('keeps to the limits that were named, round by round', () => {
    for (const encode of ['same,delta,admit=marked', 'same,delta', 'same,mdd']) {
      const rig = play(encode)
      for (let round = 0; round < 12; round++) {
        for (let page = round; page < guestPages; page += 2) {
          rig.store(0, page, changed(rig.page(0, page), 3, round))
        }
        rig.round()
        const { cache, store } = rig.lanes[0]!.encoder.heldBytes
        expect(cache).toBeLessThanOrEqual(16 * pageBytes)
        expect(store).toBeLessThanOrEqual(8 * pageBytes)
        expect(rig.differing()).toEqual([])
      }
    }
  })
})

it.each(['auto', 'same', 'lz4'])('pages that are dirty again are left out: %s', (encode) => {
  const rig = new Rig({ lengths: [100 * pageBytes], encode })
  for (let page = 0; page < 100; page++) rig.store(0, page, randomContent(pageBytes, page))
  const during = (): void => rig.store(0, 80, randomContent(pageBytes, 1))
  const first = rig.round({ during, again: true, leaves: true })
  expect(first.tally).toMatchObject({ heldPages: 1, pages: 99 })
  expect(rig.differing()).toEqual([])
  expect(rig.round().tally.pages).toBe(1)
  expect(rig.differing()).toEqual([])
})
