import type { PageHasher, Region, StoreMarks } from '@godwit/core'
import { FingerprintTable, PageBitmap, systemClock } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { createMemory } from './made-up-memory.ts'
import { MemoryScan } from './memory-scan.ts'
import { createSweep } from './sweep.ts'

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

describe('pages whose stores are marked', () => {
  it('are not looked at where they are not marked, and what is lacking is', async () => {
    const { regions, seen, scans, into, found } = setUp()
    const unmarked = [new PageBitmap(5000), new PageBitmap(2)]
    let begins = 0
    let lost: string | undefined
    const marks: StoreMarks = {
      name: 'made-up',
      lacking: undefined,
      get lost() {
        return lost
      },
      begin: () => void begins++,
      findUnmarked: () => (lost === undefined ? unmarked : undefined),
    }
    const scan = scans[0]!
    expect([scan.isMarked, scan.findKept(into)]).toEqual([false, undefined])
    scan.mark(marks)
    scan.mark(marks)
    expect([scan.isMarked, begins]).toEqual([true, 1])
    for (const page of [0, 3, 4, 4999]) regions[0]!.bytes[page * pageBytes] = 9
    for (let page = 3; page < 5000; page++) unmarked[0]!.add(page)
    unmarked[1]!.add(0)
    into[0]!.add(4)
    await scan.run(scan.begin(into), systemClock)
    expect(found()).toEqual(['0/0', '0/4'])
    expect(seen[0]!.toSorted((a, b) => a - b)).toEqual([-2, 0, 1, 2, 4])
    lost = 'made up'
    await scan.run(scan.begin(into), systemClock)
    expect([found(), scan.isMarked]).toEqual([['0/0', '0/3', '0/4', '0/4999'], false])
  })
})

describe('a look at a chunk', () => {
  /** Chunks of 512 pages; the second one of the first region is the first that is looked at. */
  function chunked(addZeros?: (region: number, into: PageBitmap) => void) {
    const looks: string[] = []
    const memory = createMemory([1500, 20], (region, page) => looks.push(`${region}/${page}`))
    const scan = memory.scan(addZeros)
    const dirty = [PageBitmap.shared(1500), PageBitmap.shared(20)]
    const hot = [Uint16Array.of(0, 1, 0), Uint16Array.of(0)]
    const { sweep, pieces } = createSweep(
      dirty,
      { zeros: scan.findZeros(), kept: undefined },
      hot,
      false,
    )
    const look = (): boolean => scan.look({ dirty, pieces }, sweep)
    return { ...memory, dirty, look, takeLooks: () => looks.splice(0) }
  }

  it('leaves the words of all others as they are', () => {
    const { dirty, look, store, takeLooks } = chunked()
    for (const page of [511, 512, 1023, 1024]) store(0, page)
    for (const { words } of dirty) for (let at = 0; at < words.length; at++) words[at] = 1000 + at
    const before = dirty.map(({ words }) => [...words])
    expect(look()).toBe(true)
    expect(takeLooks()).toEqual(Array.from({ length: 512 }, (_, at) => `0/${512 + at}`))
    const own = [1, ...Array<number>(14).fill(0), 2 ** 31]
    expect([...dirty[0]!.words]).toEqual([
      ...before[0]!.slice(0, 16),
      ...own,
      ...before[0]!.slice(32),
    ])
    expect([...dirty[1]!.words]).toEqual(before[1])
  })

  it('is of all chunks in turn, and of whatever is short', () => {
    const { dirty, look, store, takeLooks } = chunked()
    store(0, 1499)
    store(1, 19)
    expect([look(), look(), look(), look(), look()]).toEqual([true, true, true, true, false])
    expect(takeLooks()).toHaveLength(1520)
    expect(dirty.map(({ size }) => size)).toEqual([1, 1])
    expect([dirty[0]!.has(1499), dirty[1]!.has(19)]).toEqual([true, true])
  })

  it('finds nothing that an earlier one has found', () => {
    const { sent, store, scan } = createMemory([600])
    const dirty = [PageBitmap.shared(600)]
    const one = scan()
    const lookAtAll = (): number => {
      const { sweep, pieces } = createSweep(
        dirty,
        { zeros: one.findZeros(), kept: undefined },
        undefined,
        false,
      )
      expect(dirty[0]!.size).toBe(600)
      while (one.look({ dirty, pieces }, sweep));
      return dirty[0]!.size
    }
    store(0, 70)
    expect(lookAtAll()).toBe(1)
    sent[0]!.fingerprints.words32[70 * 2] = 1
    expect(lookAtAll()).toBe(0)
  })

  it('is none where a page is known to be zero', () => {
    const { dirty, look, sent, takeLooks } = chunked((region, into) => {
      if (region === 0) for (const page of [512, 600, 1023]) into.add(page)
    })
    // Its content was sent, and it became a hole.
    sent[0]!.fingerprints.words32[600 * 2] = 7
    look()
    expect(takeLooks()).toHaveLength(509)
    expect([512, 600, 1023].map((page) => dirty[0]!.has(page))).toEqual([false, true, false])
  })

  it('is none where a page is known to be what was sent', () => {
    const { scan, store } = createMemory([1000])
    const dirty = [PageBitmap.shared(1000)]
    const kept = [PageBitmap.shared(1000)]
    for (const page of [0, 600, 601]) store(0, page)
    for (let page = 1; page < 1000; page++) if (page !== 601) kept[0]!.add(page)
    const looker = scan()
    const known = { zeros: looker.findZeros(), kept }
    const { sweep, pieces } = createSweep(dirty, known, undefined, false)
    while (looker.look({ dirty, pieces }, sweep));
    expect([0, 600, 601].map((page) => dirty[0]!.has(page))).toEqual([true, false, true])
    expect(dirty[0]!.size).toBe(2)
  })

  it('has a fingerprint of any page', () => {
    const { scan, store } = createMemory([10, 10])
    const into = new FingerprintTable(1, 8)
    for (let i = 0; i < 3; i++) store(1, 7)
    const one = scan()
    one.hashPage(1, 7, into)
    expect([one.entryBytes, into.words32[0]]).toEqual([8, 3])
    one.hashPage(0, 7, into)
    expect(into.words32[0]).toBe(0)
  })
})
