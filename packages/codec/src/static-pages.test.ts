import { GodwitError, PageBitmap, allocateShared } from '@godwit/core'
import { BATCH_HEADER_BYTES, ENTRY_BYTES, PageEncoding } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import { randomContent, textContent } from '../test/content.ts'
import type { RigOptions } from '../test/rig.ts'
import { Rig } from '../test/rig.ts'
import type { SentFrame } from '../test/sent-frame.ts'
import { pagesByEncoding } from '../test/sent-frame.ts'
import type { Entry, SetOptions } from '../test/siblings.ts'
import { Siblings, contentHashOf } from '../test/siblings.ts'
import { emptyTotals } from './batch-decoder.ts'
import { staticLookup } from './static-index.ts'

const { Raw, Zero, SameAs, Static } = PageEncoding
const pageBytes = 4096
const content = (seed: number): Uint8Array => randomContent(pageBytes, 500 + seed)

/** Entries `[first, end)` of some contents, which a sibling has at pages of the same numbers. */
function entriesOf(first: number, end: number, origin = 0): Entry[] {
  return Array.from({ length: end - first }, (_, i) => {
    return { content: content(first + i), origin, page: first + i }
  })
}

interface World {
  readonly rig: Rig
  readonly siblings: Siblings
}

/** A guest whose page `i` has content `i`, and one region behind it with contents from 100 on. */
function worldOf(
  pages: number,
  sets: readonly SetOptions[],
  options: Partial<RigOptions> = {},
): World {
  const siblings = new Siblings(pageBytes, 300, 2, sets)
  const staticPages = { lookup: siblings.lookup, contents: siblings.contents }
  const lengths = [pages * pageBytes, 4 * pageBytes]
  const rig = new Rig({ lengths, encode: 'none', staticPages, ...options })
  for (let page = 0; page < pages; page++) rig.store(0, page, content(page))
  for (let page = 0; page < 4; page++) rig.store(1, page, content(100 + page))
  return { rig, siblings }
}

/** Words of all runs that name contents. */
function numbersIn(frame: SentFrame): readonly number[] {
  const view = new DataView(frame.body.buffer, frame.body.byteOffset)
  const words: number[] = []
  let at = BATCH_HEADER_BYTES + frame.entries.length * ENTRY_BYTES
  for (const { encoding, payloadBytes } of frame.entries) {
    for (let i = 0; encoding === Static && i < payloadBytes; i += 4) {
      words.push(view.getUint32(at + i, true))
    }
    at += payloadBytes
  }
  return words
}

describe('pages that the destination holds elsewhere', () => {
  it('go as numbers, each counted from the one before, in batches of their own', () => {
    const entries = [...entriesOf(2, 5), ...entriesOf(8, 10), ...entriesOf(0, 2)]
    const { rig } = worldOf(12, [{ by: 'content', entries }])
    const { tally, frames, naks } = rig.round()
    expect(tally).toMatchObject({ staticPages: 7, rawPages: 9, staticBytes: 7 * (pageBytes - 4) })
    const named = frames.filter(({ entries: runs }) => runs.some((run) => run.encoding === Static))
    expect(named.map((frame) => [pagesByEncoding([frame]), numbersIn(frame)])).toEqual([
      // Entries 5, 6, 0, 1, 2 of pages 0 to 4, then 3, 4 of pages 8 and 9.
      [{ [Static]: 7 }, [5, 0, -7 >>> 0, 0, 0, 3, 0]],
    ])
    expect([naks, rig.differing()]).toEqual([[], []])
  })

  it('are counted over all sets, and over those of which nothing is held', () => {
    const sets: readonly SetOptions[] = [
      {
        by: 'content',
        entries: entriesOf(200, 210).map(({ content: bytes }) => ({ content: bytes })),
      },
      { by: 'position', entries: [{ content: content(3), origin: 1, page: 7, position: 3 }] },
      { by: 'keyed', entries: entriesOf(100, 102, 1) },
    ]
    const { rig } = worldOf(5, sets)
    const { frames } = rig.round()
    expect(frames.flatMap(numbersIn)).toEqual([10, 11, 0])
    expect(rig.differing()).toEqual([])
  })

  it('are those at their places, counted over all regions, where the map goes by position', () => {
    const at = (position: number, seed: number): Entry => {
      return { content: content(seed), origin: 0, page: position, position }
    }
    // Content 2 is at page 2, and 101 is page 6 in all; 0 is elsewhere in the samples.
    const { rig } = worldOf(5, [{ by: 'position', entries: [at(1, 0), at(2, 2), at(6, 101)] }])
    const { frames } = rig.round()
    expect(
      frames.flatMap(({ header, entries }) => {
        const known = entries.filter(({ encoding }) => encoding === Static)
        return known.map(({ firstPage }) => [header.region, firstPage])
      }),
    ).toEqual([
      [0, 2],
      [7, 1],
    ])
    expect(rig.differing()).toEqual([])
  })

  it('may be named by others from then on, and have versions of their own', () => {
    const { rig } = worldOf(8, [{ by: 'content', entries: entriesOf(0, 4) }], {
      encode: 'same,delta',
    })
    rig.store(1, 3, content(0))
    const first = rig.round()
    expect(pagesByEncoding(first.frames)).toEqual({ [Raw]: 7, [Static]: 5 })
    rig.store(0, 7, content(1))
    const second = rig.round()
    expect(pagesByEncoding(second.frames)[SameAs]).toBe(1)
    expect(rig.differing()).toEqual([])
  })

  it('are not looked for again, nor where they were sent before', () => {
    const { rig } = worldOf(4, [{ by: 'content', entries: entriesOf(0, 40) }])
    rig.round()
    rig.store(0, 0, content(20))
    const { tally } = rig.round()
    expect([tally.staticPages, tally.rawPages]).toEqual([0, 1])
  })

  it('are neither zero nor short ones', () => {
    const zero = { content: new Uint8Array(pageBytes), origin: 0, page: 0 }
    const sets: readonly SetOptions[] = [{ by: 'content', entries: [zero, ...entriesOf(0, 2)] }]
    const siblings = new Siblings(pageBytes, 8, 1, sets)
    const staticPages = { lookup: siblings.lookup, contents: siblings.contents }
    const rig = new Rig({ lengths: [2 * pageBytes + 100], encode: 'none', staticPages })
    rig.store(0, 1, content(1))
    rig.store(0, 2, content(0))
    const { frames } = rig.round()
    expect(pagesByEncoding(frames)).toEqual({ [Zero]: 1, [Static]: 1, [Raw]: 1 })
    expect(rig.differing()).toEqual([])
  })

  it.each<[string, number, number, (one: Siblings) => void]>([
    ['other memory', 0, 1, (one) => one.store(0, 70, Uint8Array.of(1, 2, 3))],
    ['a shorter file', 1, 3, (one) => one.cut(1, 71)],
    ['no file', 1, 4, (one) => one.cut(1, undefined)],
  ])(
    'are asked for where there is %s, with the 64 that came along',
    (_, origin, lacking, change) => {
      // Four batches: pages 0 to 63, 64 to 127, 128 to 189, and those of the other region.
      const { rig, siblings } = worldOf(200, [
        { by: 'content', entries: entriesOf(0, 190, origin) },
      ])
      change(siblings)
      const { naks, tally } = rig.round()
      expect(tally).toMatchObject({ staticPages: 194, rawPages: 10 })
      expect(naks).toHaveLength(lacking)
      expect(rig.differing()).toEqual([])
    },
  )

  it('leave no trace where nothing is held', () => {
    const entries = entriesOf(0, 4).map(({ content: bytes }) => ({ content: bytes }))
    const { siblings } = worldOf(4, [{ by: 'content', entries }])
    expect(siblings.lookup).toBe(undefined)
  })
})

/** Two pages whose XXH3 has the same low word. */
const twins = [23_445, 81_076].map((word) => {
  const page = new Uint8Array(pageBytes)
  new DataView(page.buffer).setUint32(0, word, true)
  return page
}) as [Uint8Array, Uint8Array]

describe('contents with the same quick word', () => {
  it('are such', () => {
    const [a, b] = twins.map(contentHashOf) as [Uint8Array, Uint8Array]
    expect(a.subarray(0, 4)).toEqual(b.subarray(0, 4))
    expect(a).not.toEqual(b)
  })

  it.each(['content', 'position', 'keyed'] as const)('are told apart by %s', (by) => {
    for (const held of [[0], [1], [0, 1]]) {
      const entries = held.map((which): Entry => {
        return { content: twins[which]!, origin: 0, page: which, position: which }
      })
      const { rig } = worldOf(2, [{ by, entries }])
      for (const page of [0, 1]) rig.store(0, page, twins[page]!)
      const { tally, naks } = rig.round()
      expect(tally.staticPages).toBe(held.length)
      expect([naks, rig.differing()]).toEqual([[], []])
    }
  })

  it('are found out at the destination', () => {
    const { rig, siblings } = worldOf(1, [
      { by: 'content', entries: [{ content: twins[0], origin: 0, page: 0 }] },
    ])
    rig.store(0, 0, twins[0])
    siblings.store(0, 0, twins[1])
    expect(rig.round().naks).toHaveLength(1)
    expect(rig.differing()).toEqual([])
  })
})

describe('a look-up', () => {
  it('ends soon, whatever hashes a peer chose', () => {
    const entryCount = 100_000
    const hashes = allocateShared(entryCount * 16)
    // All begin alike, and no two are the same.
    const words = new Uint32Array(hashes.buffer)
    for (let entry = 0; entry < entryCount; entry++) words[entry * 4 + 3] = entry
    const held = new PageBitmap(entryCount)
    held.addAll()
    // With a look at each that is in the way it would be minutes.
    const lookup = staticLookup([{ by: 'keyed', key: new Uint8Array(32), hashes, held }])
    expect(lookup!.indexes[0]!.table.filter((word) => word !== 0)).toHaveLength(64)
  })
})

describe('a number', () => {
  const text: Entry = { content: textContent(pageBytes, 1) }
  const sets: readonly SetOptions[] = [
    { by: 'content', entries: [...entriesOf(0, 4), text] },
    { by: 'content', entries: entriesOf(4, 6, 1) },
  ]
  const { frames } = worldOf(6, sets).rig.round()
  const frame = frames.find((one) => pagesByEncoding([one])[Static] === 6)!
  const at = BATCH_HEADER_BYTES + ENTRY_BYTES

  it.each([
    ['of another content that is held', 20, 0xffffffff, 'CODEC_DIGEST'],
    ['of what is not held', 0, 4, 'CODEC_PAGE_RANGE'],
    ['behind all of them', 0, 7, 'CODEC_PAGE_RANGE'],
    ['far behind', 0, 0xffffffff, 'CODEC_PAGE_RANGE'],
    ['that leads behind them', 20, 1, 'CODEC_PAGE_RANGE'],
    ['that leads before them', 4, 0xfffffffe, 'CODEC_PAGE_RANGE'],
  ])('%s', (_, offset, value, expected) => {
    const { rig } = worldOf(6, sets)
    expect(numbersIn(frame)).toEqual([0, 0, 0, 0, 1, 0])
    const body = frame.body.slice()
    new DataView(body.buffer).setUint32(at + offset, value, true)
    expect(outcomeOf(rig, body)).toBe(expected)
    expect(rig.target[0]!.bytes.every((byte) => byte === 0)).toBe(true)
    expect(outcomeOf(rig, frame.body)).toBe('installed')
  })

  it('of a short page is refused, and where nothing was agreed, and where it is cut', () => {
    const short = worldOf(6, sets, { lengths: [5 * pageBytes + 1, 4 * pageBytes] }).rig
    expect(outcomeOf(short, frame.body)).toBe('CODEC_BATCH')
    const none = new Rig({ lengths: [6 * pageBytes], encode: 'same,mdd,zstd' })
    expect(outcomeOf(none, frame.body)).toBe('CODEC_ENCODING')
    const { rig } = worldOf(6, sets)
    const long = frame.body.slice()
    // One page less, but all of the payload.
    new DataView(long.buffer).setUint16(BATCH_HEADER_BYTES + 4, 5, true)
    expect(outcomeOf(rig, long)).toBe('CODEC_BATCH')
  })
})

/** What the destination makes of a batch of round 1. */
function outcomeOf(rig: Rig, body: Uint8Array): string {
  try {
    const nak = rig.lanes[0]!.decoder.decode(body, 1, emptyTotals())
    return nak === undefined ? 'installed' : 'NAK'
  } catch (error) {
    if (error instanceof GodwitError) return error.code
    throw error
  }
}
