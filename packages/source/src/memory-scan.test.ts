import type { PageHasher, Region } from '@godwit/core'
import { FingerprintTable, PageBitmap, systemClock } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { MemoryScan } from './memory-scan.ts'

const pageBytes = 4096
/** Three chunks, and another region of a page and a bit. */
const lengths = [5000 * pageBytes, pageBytes + 10]

/** The sum of a page's bytes: enough to tell the pages of this test apart. */
function hasherThatCounts(seen: number[]): PageHasher {
  return {
    name: 'xxh64',
    entryBytes: 8,
    hashPages(bytes, start, end, size, into, firstEntry) {
      for (let at = start, entry = firstEntry; at < end; at += size, entry++) {
        seen.push(bytes.length === lengths[0] ? at / size : -1 - at / size)
        into.words32[entry * 2] = bytes[at]! + 1
      }
    },
    digest: (entries) => entries.slice(0, 8),
  }
}

function setUp(addZeros?: (region: number, into: PageBitmap) => void) {
  const regions: Region[] = lengths.map((length, id) => {
    return { id, name: `r${id}`, bytes: new Uint8Array(length) }
  })
  const sent = regions.map((region) => {
    const pages = Math.ceil(region.bytes.length / pageBytes)
    const fingerprints = FingerprintTable.shared(pages, 8)
    for (let page = 0; page < pages; page++) fingerprints.words32[page * 2] = 1
    return { region, fingerprints }
  })
  const seen: number[][] = [[], []]
  const scans = seen.map((pages) => {
    return new MemoryScan(sent, pageBytes, () => hasherThatCounts(pages), addZeros)
  })
  const into = sent.map(({ fingerprints }) => PageBitmap.shared(fingerprints.entryCount))
  const found = (): string[] =>
    into.flatMap((bitmap, region) =>
      [...Array(bitmap.pageCount).keys()]
        .filter((page) => bitmap.has(page))
        .map((page) => `${region}/${page}`),
    )
  return { regions, sent, seen, scans, into, found }
}

describe('MemoryScan', () => {
  it('shares the work: every page is looked at once, and what differs is found', async () => {
    const { regions, seen, scans, into, found } = setUp()
    for (const page of [0, 2047, 2048, 4999]) regions[0]!.bytes[page * pageBytes] = 9
    regions[1]!.bytes[pageBytes] = 9
    const job = scans[0]!.begin(into)
    await Promise.all(scans.map((scan) => scan.run(job, systemClock)))
    expect(found()).toEqual(['0/0', '0/2047', '0/2048', '0/4999', '1/1'])
    expect(seen.every((pages) => pages.length > 0)).toBe(true)
    const all = seen.flat().toSorted((a, b) => a - b)
    expect(all).toEqual([-2, -1, ...Array(5000).keys()])
  })

  it('a pass begins anew each time', async () => {
    const { regions, scans, into, found } = setUp()
    await scans[0]!.run(scans[0]!.begin(into), systemClock)
    expect(found()).toEqual([])
    regions[0]!.bytes[5 * pageBytes] = 1
    await scans[0]!.run(scans[0]!.begin(into), systemClock)
    expect(found()).toEqual(['0/5'])
  })

  it('what is known to be zero is compared without a look', async () => {
    let zeros = [
      [0, 5],
      [0, 4999],
      [1, 1],
    ]
    const addZeros = (region: number, into: PageBitmap): void => {
      for (const [of, page] of zeros) if (of === region) into.add(page!)
    }
    const { sent, seen, scans, into, found } = setUp(addZeros)
    // Its content was sent, and it became a hole: that is another content.
    sent[0]!.fingerprints.words32[5 * 2] = 77
    await scans[0]!.run(scans[0]!.begin(into), systemClock)
    expect(found()).toEqual(['0/5'])
    const isLookedAt = (page: number): boolean => seen[0]!.includes(page)
    // Two pages of zeros are hashed beside, of each region: they are no pages of it.
    expect([4, 5, 6, 4998, 4999].filter(isLookedAt)).toEqual([4, 6, 4998])
    zeros = []
    for (const bitmap of into) bitmap.clear()
    await scans[0]!.run(scans[0]!.begin(into), systemClock)
    expect(isLookedAt(4999)).toBe(true)
  })
})
