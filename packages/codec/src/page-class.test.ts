import { readFileSync } from 'node:fs'
import { BATCH_HEADER_BYTES, BatchCompression, ENTRY_BYTES } from '@godwit/wire'
import { KERNELS_WASM_URL, createKernels } from '@godwit/kernels'
import { describe, expect, it } from 'vitest'
import type { Content } from '../test/content.ts'
import { randomContent, recordContent, textContent } from '../test/content.ts'
import { Rig } from '../test/rig.ts'
import { COUNTS_PER_PAGE, PageClass, classOf, strideOf } from './page-class.ts'

const { Plain, Records, Random } = PageClass
const wasm = readFileSync(KERNELS_WASM_URL)
const kernels = createKernels({ wasm, memoryBytes: 1 << 20 })
const [pageAt, countsAt] = [kernels.allocate(65536), kernels.allocate(8)]

/** Counts of one page, as the kernels have them. */
function countsOf(page: Uint8Array): Uint16Array {
  kernels.bytes.set(page, pageAt)
  kernels.classify(pageAt, page.length, page.length, countsAt)
  return new Uint16Array(kernels.bytes.buffer, countsAt, COUNTS_PER_PAGE).slice()
}

/** Numbers of 8 bytes that grow, so that neighbours are most alike. */
const numbers: Content = (byteLength, seed) => {
  const values = BigUint64Array.from(
    { length: byteLength / 8 },
    (_, i) => 1000003n * BigInt(seed + i),
  )
  return new Uint8Array(values.buffer)
}

/** A few words in a page that is zero else. */
const sparse: Content = (byteLength, seed) => {
  const page = new Uint8Array(byteLength)
  page.set(textContent(100, seed), 500)
  return page
}

describe.each([4096, 16384, 65536])('a page of %i bytes', (pageBytes) => {
  it.each([
    ['random', randomContent, Random],
    ['text', textContent, Plain],
    ['heap records', recordContent, Records],
    ['numbers', numbers, Records],
    ['almost zero', sparse, Records],
  ])('of %s', (_, content: Content, expected) => {
    for (let seed = 0; seed < 30; seed++) {
      expect(classOf(countsOf(content(pageBytes, seed)), 0, pageBytes)).toBe(expected)
    }
  })
})

describe('the stride', () => {
  const sumsOf = (content: Content): Float64Array => {
    const sums = new Float64Array(COUNTS_PER_PAGE)
    for (let seed = 0; seed < 10; seed++) {
      for (const [i, count] of countsOf(content(4096, seed)).entries()) sums[i]! += count
    }
    return sums
  }

  it('is 64 for records of 64 bytes and shorter for numbers', () => {
    expect(strideOf(sumsOf(recordContent))).toBe(6)
    expect(strideOf(sumsOf(numbers))).toBe(4)
  })

  it.each([
    [[100, 0, 0, 0], 3],
    [[100, 97, 0, 0], 4],
    [[100, 96, 0, 0], 3],
    [[10, 100, 99, 96], 5],
    [[10, 100, 99, 97], 6],
    [[0, 0, 0, 0], 6],
  ])('of %j is 2^%i: the longest that does about as well', (sums, expected) => {
    expect(strideOf(Float64Array.from(sums))).toBe(expected)
  })
})

const pageBytes = 4096

/** A guest that is text, records and random pages by turns of 7. */
function rigOf(encode: string, pages = 210): Rig {
  const rig = new Rig({ lengths: [pages * pageBytes + 700], encode })
  const contents = [textContent, recordContent, randomContent]
  for (let page = 0; page <= pages; page++) {
    const content = contents[Math.floor(page / 7) % 3]!
    rig.store(0, page, content(pageBytes, page))
  }
  return rig
}

describe('batches of one class each', () => {
  it('are compressed as suits them, records in columns, and come out as they were', () => {
    const rig = rigOf('mecom')
    const { frames, tally } = rig.round()
    expect(rig.differing()).toEqual([])
    expect(
      frames.map((frame) => [frame.class, frame.header.compression, frame.header.stride]),
    ).toEqual([
      [Plain, BatchCompression.Zstd, 0],
      [Records, BatchCompression.Zstd, 6],
      [Random, BatchCompression.None, 0],
    ])
    expect(frames.map(({ header }) => header.decodedBytes)).toEqual([
      70 * pageBytes + 700,
      70 * pageBytes,
      70 * pageBytes,
    ])
    const [plain, records] = frames.map(({ header }) => header.payloadBytes / header.decodedBytes)
    expect(plain).toBeLessThan(0.5)
    expect(records).toBeLessThan(0.2)
    expect(tally).toMatchObject({ compressedPages: 141, rawPages: 70 })
  })

  it('are smaller than the same in the order of memory', () => {
    const [classes, none] = ['mecom,level=1', 'zstd,level=1'].map((encode) => rigOf(encode).round())
    expect(classes!.tally.payloadBytes).toBeLessThan(0.95 * none!.tally.payloadBytes)
  })

  it.each(['mecom', 'zstd', 'lz4', 'same,mdd,mecom', 'same,delta,lz4', 'auto'])(
    'of random pages are never longer than these, with %s',
    (encode) => {
      const pages = 300
      const rig = new Rig({ lengths: [pages * pageBytes], encode })
      for (let page = 0; page < pages; page++) {
        rig.store(0, page, randomContent(pageBytes, page))
      }
      for (const round of [1, 2]) {
        const { frames, tally } = rig.round()
        const bodyBytes = frames.reduce((sum, { body }) => sum + body.length, 0)
        // One entry for the pages, and with `same` one per batch for what is kept of them.
        const heads = frames.length * (BATCH_HEADER_BYTES + 2 * ENTRY_BYTES)
        const kept = round === 2 && rig.settings.same ? pages * 4 : 0
        expect(bodyBytes).toBeLessThanOrEqual(pages * pageBytes + heads + kept)
        expect(tally.compressedPages).toBe(0)
        for (let page = 0; page < pages; page++) {
          rig.store(0, page, randomContent(pageBytes, 1000 + page))
        }
      }
    },
  )

  it('end with a round, so that a few pages of a class come with it', () => {
    const rig = rigOf('mecom')
    rig.round()
    for (const page of [0, 7, 14]) rig.store(0, page, Uint8Array.of(1, 2, 3), 10)
    const { frames } = rig.round()
    expect(frames.map((frame) => [frame.class, frame.header.decodedBytes])).toEqual([
      [Plain, pageBytes],
      [Records, pageBytes],
      [Random, pageBytes],
    ])
    expect(rig.differing()).toEqual([])
  })

  it('are told apart in each region', () => {
    const lengths = [pageBytes, 2 * pageBytes, 3 * pageBytes]
    const rig = new Rig({ lengths, encode: 'mecom' })
    for (const region of [0, 1, 2]) {
      for (let page = 0; page <= region; page++) {
        rig.store(region, page, recordContent(pageBytes, page))
      }
    }
    const { frames } = rig.round()
    expect(frames.map(({ header }) => [header.region, header.decodedBytes / pageBytes])).toEqual([
      [0, 1],
      [7, 2],
      [14, 3],
    ])
    expect(rig.differing()).toEqual([])
  })
})
