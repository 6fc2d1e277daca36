import { DELTA_BYTES, PageEncoding, SIMILAR_BYTES } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import { changed, randomContent, recordContent, textContent } from '../test/content.ts'
import type { RigOptions, RoundResult } from '../test/rig.ts'
import { Rig } from '../test/rig.ts'
import { pagesByEncoding } from '../test/sent-frame.ts'

const { Raw, Zero, Delta, Similar, Keep } = PageEncoding
const pageBytes = 4096
const content = (seed: number): Uint8Array => randomContent(pageBytes, 1000 + seed)

/** Memory of random pages, each with another content, after round 1. */
function rigOf(pages: number, encode: string, options: Partial<RigOptions> = {}): Rig {
  const rig = new Rig({ lengths: [pages * pageBytes], encode, ...options })
  for (let page = 0; page < pages; page++) rig.store(0, page, content(page))
  rig.round()
  return rig
}

/** A round that must leave both sides equal. */
function round(rig: Rig, seed?: number): RoundResult {
  const result = rig.round(seed === undefined ? {} : { seed })
  expect(rig.differing()).toEqual([])
  return result
}

/** Runs of a NAK. */
function runsOf(runs: Uint8Array): number[] {
  const view = new DataView(runs.buffer, runs.byteOffset, runs.byteLength)
  return Array.from({ length: runs.length / 4 }, (_, i) => view.getUint32(i * 4, true))
}

describe('a page of which a version is kept', () => {
  it('is sent as what changed', () => {
    const rig = rigOf(8, 'delta')
    rig.store(0, 3, Uint8Array.of(rig.page(0, 3)[100]! ^ 1), 100)
    const { tally, frames } = round(rig)
    // 100 bytes stay, 1 changes: two numbers and the byte.
    const recordBytes = DELTA_BYTES + 3
    expect(tally).toMatchObject({ deltaPages: 1, deltaBytes: pageBytes - recordBytes })
    expect(frames[0]!.entries).toEqual([
      { firstPage: 3, pageCount: 1, encoding: Delta, payloadBytes: recordBytes },
    ])
    expect(rig.lanes[0]!.encoder.cacheCounts).toMatchObject({ hits: 1, misses: 0 })
  })

  it('is kept up to date round by round, whatever it was sent as', () => {
    const rig = rigOf(4, 'same,mdd')
    for (let i = 0; i < 6; i++) {
      rig.store(0, 1, changed(rig.page(0, 1), 3, i))
      expect(round(rig).tally).toMatchObject({ deltaPages: 1, rawPages: 0 })
      rig.store(0, 1, rig.page(0, 0).slice())
      const { samePages, referencePages } = round(rig).tally
      expect(samePages + referencePages).toBe(1)
    }
  })

  it('is sent whole where too much changed, and counted', () => {
    const rig = rigOf(4, 'delta')
    rig.store(0, 2, content(99))
    const { tally, frames } = round(rig)
    expect(tally).toMatchObject({ deltaPages: 0, rawPages: 1, deltaOverflows: 1 })
    expect(pagesByEncoding(frames)).toEqual({ [Raw]: 1 })
    rig.store(0, 2, changed(rig.page(0, 2), 5, 1))
    expect(round(rig).tally).toMatchObject({ deltaPages: 1, deltaOverflows: 0 })
  })

  it('leaves no empty batch behind where it then goes with others of its class', () => {
    for (const encode of ['delta,mecom', 'mdd,mecom', 'auto']) {
      const rig = rigOf(4, encode)
      // Kept from round 2 on in any case.
      for (let page = 0; page < 4; page++) rig.store(0, page, content(20 + page))
      round(rig)
      rig.store(0, 2, content(99))
      const { frames } = round(rig)
      expect(frames.map(({ entries }) => entries.length)).toEqual([1])
    }
  })

  it('may be the short last one, of which no delta is longer than itself', () => {
    for (const rest of [1, 6, 7, 13, 100, 4095]) {
      const rig = new Rig({ lengths: [2 * pageBytes + rest], encode: 'delta' })
      rig.store(0, 2, content(2))
      round(rig)
      rig.store(0, 2, content(3))
      const { tally } = round(rig)
      expect(tally).toMatchObject({ rawPages: 1, payloadBytes: rest })
      rig.store(0, 2, Uint8Array.of(1))
      expect(round(rig).tally.payloadBytes).toBeLessThanOrEqual(rest)
    }
  })

  it('is the only kind that is kept up to date while no others are to be kept', () => {
    const rig = rigOf(4, 'auto')
    const { encoder } = rig.lanes[0]!
    const storeAll = (seed: number): void => {
      for (let page = 0; page < 4; page++) rig.store(0, page, content(seed + page))
    }
    encoder.keepVersions(false)
    storeAll(50)
    expect(round(rig).tally).toMatchObject({ rawPages: 4 })
    expect(encoder.heldBytes.cache).toBe(0)
    encoder.keepVersions(true)
    storeAll(100)
    round(rig)
    expect(encoder.heldBytes.cache).toBe(4 * pageBytes)
    encoder.keepVersions(false)
    for (let i = 0; i < 3; i++) {
      rig.store(0, 1, changed(rig.page(0, 1), 3, i))
      expect(round(rig).tally).toMatchObject({ deltaPages: 1, rawPages: 0 })
    }
  })

  it('that became zero is no base any more', () => {
    const rig = rigOf(4, 'delta')
    rig.store(0, 1, new Uint8Array(pageBytes))
    expect(pagesByEncoding(round(rig).frames)).toEqual({ [Zero]: 1 })
    rig.store(0, 1, changed(content(1), 1, 1))
    expect(pagesByEncoding(round(rig).frames)).toEqual({ [Raw]: 1 })
  })

  it('that another lane has replaced since is no base any more', () => {
    const rig = rigOf(64, 'same,delta', { lanes: 2, batchPages: 8 })
    let deltas = 0
    let misses = 0
    for (let seed = 1; seed < 30; seed++) {
      const before = rig.lanes.map(({ encoder }) => encoder.cacheCounts!.misses)
      for (let page = 0; page < 64; page += 3)
        rig.store(0, page, changed(rig.page(0, page), 2, seed))
      const { tally, naks } = round(rig, seed)
      expect(naks).toEqual([])
      deltas += tally.deltaPages
      for (const [i, { encoder }] of rig.lanes.entries()) {
        misses += encoder.cacheCounts!.misses - before[i]!
      }
    }
    expect(deltas).toBeGreaterThan(100)
    expect(misses).toBeGreaterThan(100)
  })
})

describe('counters in a tenth of their pages', () => {
  it('cost 2 % of their pages', () => {
    const rig = rigOf(100, 'delta')
    for (let i = 1; i <= 5; i++) {
      for (let page = 0; page < 100; page++) rig.store(0, page, changed(rig.page(0, page), 10, i))
      const { tally } = round(rig)
      expect(tally.deltaPages).toBe(100)
      expect(tally.payloadBytes).toBeLessThan(0.02 * 100 * pageBytes)
    }
    const { hits, misses } = rig.lanes[0]!.encoder.cacheCounts!
    expect(hits / (hits + misses)).toBe(1)
  })
})

describe('a destination whose page is another', () => {
  it('asks for all pages of the batch and installs none of it', () => {
    const rig = rigOf(12, 'same,delta')
    for (const page of [1, 2, 7]) rig.store(0, page, changed(rig.page(0, page), 2, page))
    rig.store(0, 5, new Uint8Array(pageBytes))
    rig.store(0, 9, content(50))
    rig.targetPage(0, 7)[0]! ^= 1
    const before = rig.target[0]!.bytes.slice()
    const { naks, frames } = rig.round()
    expect(pagesByEncoding(frames)).toEqual({ [Delta]: 3, [Zero]: 1, [Raw]: 1, [Keep]: 4 })
    expect(naks.map(({ round: number, region }) => [number, region])).toEqual([[2, 0]])
    expect(runsOf(naks[0]!.runs)).toEqual([1, 2, 5, 1, 7, 1, 9, 1])
    expect(rig.target[0]!.bytes).toEqual(before)
  })

  it('notices it where a page is said to be the same, too, and what is kept is gone', () => {
    const rig = rigOf(12, 'same,delta')
    rig.store(0, 3, rig.page(0, 4).slice())
    rig.targetPage(0, 4)[4000]! ^= 1
    expect(rig.round().naks).toHaveLength(1)
    const other = rigOf(12, 'same')
    other.store(0, 3, content(60))
    other.targetPage(0, 3)[5]! ^= 1
    // The page itself comes whole: only what it held before is wrong.
    expect(other.round().naks).toHaveLength(0)
    other.store(0, 8, content(3))
    const { naks, tally } = other.round()
    expect([tally.referencePages, naks.length]).toEqual([1, 1])
  })
})

describe('a page like another one', () => {
  /** A page that has most of its blocks from another. */
  const likeness = (page: Uint8Array, seed: number): Uint8Array => changed(page, 12, seed)

  it('is sent as what differs', () => {
    const rig = rigOf(8, 'mdd')
    rig.store(0, 5, likeness(rig.page(0, 2), 1))
    const { tally, frames } = round(rig)
    expect(tally).toMatchObject({ deltaPages: 1, similarPages: 1, rawPages: 0, deltaOverflows: 1 })
    expect(tally.payloadBytes).toBeLessThan(SIMILAR_BYTES + 12 * 5)
    expect(pagesByEncoding(frames)).toEqual({ [Similar]: 1 })
  })

  it('is so in round 1, once the other is in a closed batch', () => {
    const rig = new Rig({ lengths: [12 * pageBytes], encode: 'mdd', batchPages: 4 })
    for (let page = 0; page < 6; page++) rig.store(0, page, recordContent(pageBytes, page))
    for (let page = 6; page < 12; page++) rig.store(0, page, likeness(rig.page(0, 1), page))
    const { tally } = round(rig)
    expect(tally).toMatchObject({ rawPages: 6, similarPages: 6 })
  })

  it('is not while the other is dirty and not sent', () => {
    const rig = rigOf(8, 'mdd')
    rig.store(0, 1, likeness(rig.page(0, 6), 1))
    rig.store(0, 6, content(70))
    const { tally } = round(rig)
    expect(tally).toMatchObject({ similarPages: 0, rawPages: 2 })
    // The order makes it: what was sent before in the round may be named.
    const other = rigOf(8, 'mdd', { batchPages: 1 })
    other.store(0, 1, content(70))
    other.store(0, 3, content(71))
    other.store(0, 6, likeness(content(70), 1))
    expect(round(other).tally).toMatchObject({ similarPages: 1, rawPages: 2 })
  })

  it('is sent whole where a delta does not pay', () => {
    const rig = rigOf(8, 'mdd')
    const page = content(80)
    // Three blocks that are looked at, of 64 bytes each, are all they have in common.
    for (const at of [3 * 64, 512 + 6 * 64, 1024 + 64])
      page.set(rig.page(0, 2).subarray(at, at + 64), at)
    rig.store(0, 5, page)
    expect(round(rig).tally).toMatchObject({
      similarPages: 0,
      rawPages: 1,
      payloadBytes: pageBytes,
    })
  })

  it('of another length is no base, in whatever place it is kept', () => {
    // One set of 8 places. The short page, dirty twice, takes that of page 0.
    for (let seed = 0; seed < 50; seed += 10) {
      const rig = new Rig({ lengths: [9 * pageBytes + 100], encode: 'mdd', cachePages: 8 })
      for (let page = 0; page < 10; page++) rig.store(0, page, content(seed + page))
      round(rig)
      rig.store(0, 9, randomContent(100, 1))
      round(rig)
      rig.store(0, 8, likeness(content(seed), seed))
      expect(round(rig).tally.similarPages).toBe(0)
    }
  })

  it('may be in another region', () => {
    const rig = new Rig({ lengths: [pageBytes, 2 * pageBytes, 3 * pageBytes], encode: 'mdd' })
    rig.store(0, 0, textContent(pageBytes, 1))
    round(rig)
    rig.store(2, 1, likeness(rig.page(0, 0), 1))
    expect(round(rig).tally.similarPages).toBe(1)
  })
})

it('pages of 64 KiB go all ways that there are', () => {
  const size = 65536
  const lengths = [12 * size + 5000, 4 * size]
  const rig = new Rig({ lengths, encode: 'same,mdd,mecom', pageBytes: size, hash: 'sha256' })
  for (let page = 0; page < 13; page++) rig.store(0, page, randomContent(size, page))
  for (let page = 0; page < 3; page++) rig.store(1, page, recordContent(size, page))
  round(rig)
  rig.store(0, 12, changed(rig.page(0, 12), 3, 1))
  rig.store(0, 3, changed(rig.page(0, 3), 300, 1))
  rig.store(0, 5, rig.page(0, 6).slice())
  rig.store(1, 3, changed(rig.page(0, 8), 100, 2))
  rig.store(0, 9, new Uint8Array(size))
  rig.store(0, 10, randomContent(size, 99))
  const { tally } = round(rig)
  expect(tally).toMatchObject({ deltaPages: 3, similarPages: 1, samePages: 1, zeroPages: 1 })
  rig.store(0, 11, randomContent(size, 10))
  expect(round(rig).tally).toMatchObject({ referencePages: 1 })
})
