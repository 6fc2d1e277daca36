import { FingerprintTable, PageBitmap } from '@godwit/core'
import { PageEncoding } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import { randomContent } from '../test/content.ts'
import { lookAhead } from '../test/look-ahead.ts'
import { Rig } from '../test/rig.ts'
import { pagesByEncoding } from '../test/sent-frame.ts'
import type { Entry, SetOptions } from '../test/siblings.ts'
import { Siblings } from '../test/siblings.ts'
import { NOT_SCANNED, NO_ENTRY, ScannedTable, scannedPages } from './scanned-pages.ts'

const { Raw, Zero, Static } = PageEncoding
const pageBytes = 4096
const content = (seed: number): Uint8Array => randomContent(pageBytes, 500 + seed)

interface World {
  readonly rig: Rig
  readonly siblings: Siblings
  /** What is known of each page: see `ScannedPages`. */
  readonly entries: () => readonly number[]
}

/** A guest of 6 pages with contents 0 to 4 and a page of zeros, and of 2 1/2 with 10 to 12. */
function worldOf(set: SetOptions): World {
  const siblings = new Siblings(pageBytes, 300, 2, [set])
  const staticPages = { lookup: siblings.lookup, contents: siblings.contents }
  const lengths = [6 * pageBytes, 2.5 * pageBytes]
  const rig = new Rig({ lengths, encode: 'none', staticPages })
  for (let page = 0; page < 5; page++) rig.store(0, page, content(page))
  for (let page = 0; page < 3; page++) rig.store(1, page, content(10 + page))
  return { rig, siblings, entries: () => [...siblings.scanned.entries.subarray(0, 9)] }
}

const entry = (seed: number, position?: number): Entry => {
  return { content: content(seed), origin: 0, page: seed, ...(position && { position }) }
}
const byContent: SetOptions = { by: 'content', entries: [entry(11), entry(3), entry(0), entry(12)] }

describe('a look ahead', () => {
  it('notes which entry a whole page is that is not zero', () => {
    const { rig, siblings, entries } = worldOf(byContent)
    lookAhead(rig, siblings)
    expect(entries()).toEqual([4, 1, 1, 3, 1, 0, 1, 2, 0])
  })

  it('goes by position where the map does', () => {
    const set: SetOptions = { by: 'position', entries: [entry(2, 2), entry(4, 3), entry(11, 7)] }
    const { rig, siblings, entries } = worldOf(set)
    lookAhead(rig, siblings)
    expect(entries()).toEqual([1, 1, 2, 1, 1, 0, 1, 4, 0])
  })

  it('does not read what nobody has touched', () => {
    const { rig, siblings, entries } = worldOf(byContent)
    const untouched = [new PageBitmap(6), new PageBitmap(3)]
    for (const page of [0, 3, 4]) untouched[0]!.add(page)
    lookAhead(rig, siblings, { untouched })
    expect(entries()).toEqual([0, 1, 1, 0, 0, 0, 1, 2, 0])
  })

  it('finds a page where the destination does not hold its entry, and names it not', () => {
    const { origin: _, page: __, ...nowhere } = entry(0)
    const { rig, siblings, entries } = worldOf({ by: 'content', entries: [entry(3), nowhere] })
    lookAhead(rig, siblings)
    expect(entries().slice(0, 4)).toEqual([3, 1, 1, 2])
    expect(pagesByEncoding(rig.round().frames)).toEqual({ [Raw]: 7, [Zero]: 1, [Static]: 1 })
    expect(rig.differing()).toEqual([])
  })

  it('finds another entry with the same content that the destination holds', () => {
    const { origin: _, page: __, ...nowhere } = entry(0)
    const set: SetOptions = { by: 'content', entries: [nowhere, entry(3), nowhere, entry(0)] }
    const { rig, siblings, entries } = worldOf(set)
    lookAhead(rig, siblings)
    expect(entries().slice(0, 4)).toEqual([2, 1, 1, 3])
    expect(pagesByEncoding(rig.round().frames)).toEqual({ [Raw]: 6, [Zero]: 1, [Static]: 2 })
    expect(rig.differing()).toEqual([])
  })

  it('finds no other entry where the map goes by position', () => {
    const { origin: _, page: __, ...nowhere } = entry(2, 2)
    const set: SetOptions = { by: 'position', entries: [nowhere, entry(2, 4)] }
    const { rig, siblings, entries } = worldOf(set)
    lookAhead(rig, siblings)
    expect(entries().slice(0, 5)).toEqual([1, 1, 2, 1, 1])
    expect(pagesByEncoding(rig.round().frames)).toEqual({ [Raw]: 8, [Zero]: 1 })
    expect(rig.differing()).toEqual([])
  })

  it('is believed as long as the page is the same', () => {
    const { rig, siblings } = worldOf(byContent)
    lookAhead(rig, siblings)
    // What no look would say: that page 3 is none of the set.
    siblings.scanned.entries[3] = 1
    rig.store(0, 0, content(3))
    rig.store(0, 1, content(12))
    const { frames } = rig.round()
    // Pages 0, 1 and 7: two are others by now, and are looked up anew.
    expect(pagesByEncoding(frames)).toEqual({ [Raw]: 5, [Zero]: 1, [Static]: 3 })
    expect(rig.differing()).toEqual([])
  })
})

describe('what is noted of pages', () => {
  it.each([8, 32] as const)('holds for a fingerprint, of %i bytes', (entryBytes) => {
    const fingerprints = new FingerprintTable(2, entryBytes)
    for (let i = 0; i < fingerprints.bytes.length; i++) fingerprints.bytes[i] = i
    const table = new ScannedTable(scannedPages(4, entryBytes))
    table.note(1, 7, fingerprints, 0)
    table.note(2, NO_ENTRY, fingerprints, 1)
    expect(table.entryOf(1, fingerprints, 0)).toBe(7)
    expect(table.entryOf(1, fingerprints, 1)).toBe(NOT_SCANNED)
    expect(table.entryOf(2, fingerprints, 1)).toBe(NO_ENTRY)
    expect(table.entryOf(0, new FingerprintTable(1, entryBytes), 0)).toBe(NOT_SCANNED)
    fingerprints.bytes[entryBytes - 1]! ^= 1
    expect(table.entryOf(1, fingerprints, 0)).toBe(NOT_SCANNED)
  })
})
