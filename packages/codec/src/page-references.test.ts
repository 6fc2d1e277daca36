import { describe, expect, it } from 'vitest'
import { PageEncoding } from '@godwit/wire'
import { randomContent, textContent } from '../test/content.ts'
import type { RigOptions } from '../test/rig.ts'
import { Rig } from '../test/rig.ts'
import { pagesByEncoding } from '../test/sent-frame.ts'

const { Raw, SameAs, Reference, Keep } = PageEncoding
const pageBytes = 4096
/** None of these is in the way of another in an index. */
const content = (seed: number): Uint8Array => randomContent(pageBytes, 1000 + seed)

/** Memory of random pages, each with another content. */
function rigOf(pages: number, encode: string, options: Partial<RigOptions> = {}): Rig {
  const rig = new Rig({ lengths: [pages * pageBytes], encode, ...options })
  for (let page = 0; page < pages; page++) rig.store(0, page, content(page))
  return rig
}

describe('a page that takes what another page holds', () => {
  it('is sent as the same as that, in 12 bytes', () => {
    const rig = rigOf(8, 'same')
    rig.round()
    rig.store(0, 5, rig.page(0, 2))
    const { tally, frames } = rig.round()
    expect(tally).toMatchObject({ samePages: 1, sameBytes: pageBytes - 12, payloadBytes: 12 })
    expect(pagesByEncoding(frames)).toEqual({ [SameAs]: 1 })
    expect(rig.differing()).toEqual([])
  })

  it.each(['same', 'mdd'])('is sent as it is where any page may still come: %s', (encode) => {
    const rig = rigOf(8, encode, { mayAllCome: true })
    rig.round()
    rig.store(0, 5, rig.page(0, 2))
    const { tally } = rig.round()
    expect(tally).toMatchObject({ samePages: 0, pages: 1 })
    expect(tally.payloadBytes).toBeGreaterThan(pageBytes / 2)
    expect(rig.differing()).toEqual([])
  })

  it('is found in round 1, too, once the other is in a closed batch', () => {
    const rig = rigOf(12, 'same', { batchPages: 4 })
    for (let page = 6; page < 12; page++) rig.store(0, page, rig.page(0, 0))
    const { tally } = rig.round()
    expect(tally).toMatchObject({ rawPages: 6, samePages: 6 })
    expect(rig.differing()).toEqual([])
  })

  it('is the same as the content that others have now, not the one that is on its way', () => {
    const rig = rigOf(4, 'same')
    rig.round()
    const [first, second] = [rig.page(0, 0).slice(), rig.page(0, 1).slice()]
    rig.store(0, 0, second)
    rig.store(0, 1, first)
    const { tally, naks } = rig.round()
    // Both are dirty: neither can be named, and nothing is in the store yet.
    expect([tally.rawPages, tally.samePages, naks]).toEqual([2, 0, []])
    expect(rig.differing()).toEqual([])
  })

  it('follows the other in runs: 8 bytes for the first, 4 for each', () => {
    const rig = new Rig({ lengths: [40 * pageBytes], encode: 'same' })
    for (let page = 0; page < 16; page++) rig.store(0, page, content(page))
    rig.round()
    for (let page = 0; page < 16; page++) rig.store(0, 20 + page, rig.page(0, page))
    const { frames, tally } = rig.round()
    expect(frames.map(({ entries }) => entries)).toEqual([
      [{ firstPage: 20, pageCount: 16, encoding: SameAs, payloadBytes: 8 + 16 * 4 }],
    ])
    expect(tally.sameBytes).toBe(16 * pageBytes - 72)
    expect(rig.differing()).toEqual([])
  })

  it('may be in another region; a short page is the same as a short one only', () => {
    const rig = new Rig({ lengths: [3 * pageBytes + 100, 2 * pageBytes + 100], encode: 'same' })
    rig.store(0, 3, content(1))
    rig.store(1, 1, content(1))
    rig.store(0, 0, content(2))
    rig.round()
    rig.store(1, 2, content(1))
    rig.store(1, 0, content(2))
    const { tally } = rig.round()
    expect(tally).toMatchObject({ samePages: 2, rawPages: 0 })
    expect(rig.differing()).toEqual([])
  })

  it('is sent as it is where the naming would be longer', () => {
    const rig = new Rig({ lengths: [pageBytes + 12, 12], encode: 'same' })
    rig.store(0, 1, content(1))
    rig.round()
    rig.store(1, 0, content(1))
    const { tally } = rig.round()
    expect(tally).toMatchObject({ rawPages: 1, samePages: 0, payloadBytes: 12 })
  })
})

describe('a page that goes back to what it held before', () => {
  it('is sent as a reference to the store, whoever holds the content now', () => {
    const rig = rigOf(8, 'same')
    rig.round()
    rig.store(0, 3, content(100))
    expect(pagesByEncoding(rig.round().frames)).toEqual({ [Raw]: 1, [Keep]: 1 })
    rig.store(0, 3, content(3))
    const { tally, frames } = rig.round()
    expect(pagesByEncoding(frames)).toEqual({ [Reference]: 1 })
    expect(tally).toMatchObject({ referencePages: 1, referenceBytes: pageBytes - 8 })
    expect(rig.differing()).toEqual([])
  })

  it('may be another page than the one that held it', () => {
    const rig = rigOf(8, 'same,delta')
    rig.round()
    rig.store(0, 3, content(100))
    rig.round()
    rig.store(0, 6, content(3))
    expect(rig.round().tally).toMatchObject({ referencePages: 1, rawPages: 0 })
    expect(rig.differing()).toEqual([])
  })

  it('does so with a short last page', () => {
    const rig = new Rig({ lengths: [2 * pageBytes + 500], encode: 'same' })
    rig.store(0, 2, content(1))
    rig.round()
    rig.store(0, 2, content(2))
    rig.round()
    rig.store(0, 2, content(1))
    const { tally } = rig.round()
    expect(tally).toMatchObject({ referencePages: 1, referenceBytes: 500 - 8 })
    expect(rig.differing()).toEqual([])
  })

  it('finds it in the store as long as no newer content has its slot', () => {
    const slots = 4
    const rig = rigOf(16, 'same', { storePages: slots, cachePages: 64 })
    rig.round()
    // The contents 0 to 5 are kept one after the other; slots 0 and 1 are overwritten.
    for (let page = 0; page < 6; page++) {
      rig.store(0, page, content(100 + page))
      rig.round()
    }
    for (const old of [2, 3, 4, 5, 0, 1]) {
      rig.store(0, 15, content(old))
      const { tally, naks } = rig.round()
      expect([old, tally.referencePages, naks]).toEqual([old, old < 2 ? 0 : 1, []])
      expect(rig.differing()).toEqual([])
    }
  })

  it('does not find what the open batch is to keep in a slot', () => {
    // With one slot, other contents are looked for there, too.
    for (let seed = 0; seed < 20; seed++) {
      const rig = rigOf(3, 'same', { storePages: 1, cachePages: 8 })
      rig.store(0, 0, content(seed * 100 + 50))
      rig.store(0, 1, content(seed * 100 + 51))
      rig.round()
      rig.store(0, 0, content(10))
      rig.round()
      rig.store(0, 2, rig.page(0, 1))
      rig.store(0, 1, content(11))
      const { tally, naks } = rig.round()
      expect([tally.rawPages, tally.referencePages, naks]).toEqual([2, 0, []])
      expect(rig.differing()).toEqual([])
    }
  })

  it('is kept before any batch overwrites it, whatever class the new content has', () => {
    const rig = rigOf(12, 'same,mecom', { batchPages: 2 })
    rig.round()
    for (let page = 0; page < 12; page++) rig.store(0, page, content(100 + page))
    expect(rig.round().naks).toEqual([])
    for (let page = 0; page < 12; page++) rig.store(0, page, content(page))
    const { tally, naks } = rig.round()
    expect([tally.referencePages > 9, naks, rig.differing()]).toEqual([true, [], []])
  })
})

describe('the store', () => {
  it('stays in step for many more contents than it has slots', () => {
    const rig = rigOf(24, 'same,delta', { storePages: 12, cachePages: 64, batchPages: 3 })
    rig.round()
    let references = 0
    for (let round = 1; round < 40; round++) {
      for (let i = 0; i < 6; i++) rig.store(0, (round * 7 + i) % 24, content((round * 5 + i) % 31))
      const { tally, naks } = rig.round()
      references += tally.referencePages
      expect(naks).toEqual([])
      expect(rig.differing()).toEqual([])
      const [{ encoder }] = rig.lanes as [Rig['lanes'][0]]
      expect(encoder.heldBytes.store).toBeLessThanOrEqual(12 * pageBytes)
    }
    expect(references).toBeGreaterThan(10)
  })

  it('takes no memory before it is used, and none without `same`', () => {
    const rig = rigOf(8, 'same')
    const [{ encoder }] = rig.lanes as [Rig['lanes'][0]]
    rig.round()
    expect(encoder.heldBytes.store).toBe(0)
    rig.store(0, 0, content(9))
    rig.round()
    expect(encoder.heldBytes.store).toBe(64 * pageBytes)
    const other = rigOf(8, 'delta')
    other.round()
    other.store(0, 0, content(9))
    expect(pagesByEncoding(other.round().frames)).toEqual({ [Raw]: 1 })
    expect(other.lanes[0]!.encoder.heldBytes.store).toBe(0)
  })
})

describe('the rule as it was published: nothing is sent for content that was sent once', () => {
  /** What the destination holds after rounds by that rule. */
  function play(rounds: readonly (readonly string[])[]): string[] {
    const target = Array.from({ length: rounds[0]!.length }, () => '')
    const hashes = new Set<string>()
    for (const memory of rounds) {
      for (const [page, held] of memory.entries()) {
        if (hashes.has(held)) continue
        hashes.add(held)
        target[page] = held
      }
    }
    return target
  }

  /** The same rounds through our encoder. */
  function playHere(rounds: readonly (readonly string[])[]): string[] {
    const rig = new Rig({ lengths: [rounds[0]!.length * pageBytes], encode: 'same' })
    const contentOf = (name: string): Uint8Array => textContent(pageBytes, name.charCodeAt(0))
    const names = new Map('abcd'.split('').map((name) => [contentOf(name).join(), name]))
    for (const memory of rounds) {
      for (const [page, name] of memory.entries()) rig.store(0, page, contentOf(name))
      rig.round()
    }
    return rounds[0]!.map((_, page) => names.get(rig.targetPage(0, page).join())!)
  }

  it.each([
    ['a page takes what another holds', ['ab', 'aa'], 'ab'],
    ['a page goes back to what it held', ['ab', 'cb', 'ab'], 'cb'],
    ['two pages change places', ['ab', 'ba'], 'ab'],
  ])('leaves stale memory where %s', (_, texts, stale) => {
    const rounds = texts.map((text) => text.split(''))
    expect(play(rounds).join('')).toBe(stale)
    expect(playHere(rounds).join('')).toBe(texts.at(-1))
  })
})
