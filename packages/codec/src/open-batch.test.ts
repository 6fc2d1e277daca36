import { FingerprintTable } from '@godwit/core'
import { BATCH_ENTRIES_MAX, BATCH_PAYLOAD_BYTES_MAX, PageEncoding } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import { randomContent } from '../test/content.ts'
import { Rig } from '../test/rig.ts'
import { BatchSlot } from './batch-slot.ts'
import { BatchTable } from './batch-table.ts'
import { OpenBatch } from './open-batch.ts'
import { PageClass } from './page-class.ts'
import { createPrimitives } from './primitives.ts'
import { Workspace } from './workspace.ts'

const { Raw, Zero, SameAs, Reference, Keep } = PageEncoding
const pageBytes = 4096
const primitives = await createPrimitives()
const workspace = new Workspace(primitives, 16 << 20)
const hasher = workspace.createHasher('xxh3', new Uint8Array(8))
const fingerprints = new FingerprintTable(2, 8)

function runsOf(table: BatchTable): number[][] {
  const runs: number[][] = []
  table.forEach((firstPage, pageCount, encoding) => runs.push([firstPage, pageCount, encoding]))
  return runs
}

describe('BatchTable', () => {
  it('joins neighbours of one encoding', () => {
    const table = new BatchTable()
    expect(table.add(3, Raw, 10)).toBe(false)
    expect(table.add(4, Raw, 10)).toBe(true)
    expect(table.add(5, Zero, 0)).toBe(false)
    expect(table.add(7, Zero, 0)).toBe(false)
    expect(table.add(8, Zero, 0, 100)).toBe(true)
    expect(table.add(108, Raw, 10, 2)).toBe(false)
    table.addApart(110, Raw, 10)
    expect([table.continues(111, Raw), table.continues(111, Zero)]).toEqual([true, false])
    expect(runsOf(table)).toEqual([
      [3, 2, Raw],
      [5, 1, Zero],
      [7, 101, Zero],
      [108, 2, Raw],
      [110, 1, Raw],
    ])
    table.clear()
    expect([table.count, table.continues(111, Raw), runsOf(table)]).toEqual([0, false, []])
  })

  it('begins another entry behind 65,535 pages', () => {
    const table = new BatchTable()
    for (let page = 0; page < 65_535; page++) table.add(page, Zero, 0)
    expect(table.add(65_535, Zero, 0)).toBe(false)
    expect(runsOf(table)).toEqual([
      [0, 65_535, Zero],
      [65_535, 1, Zero],
    ])
    expect(table.add(65_536, Zero, 0, 65_535)).toBe(false)
  })

  it('is written in front of the payload', () => {
    const table = new BatchTable()
    const slot = new BatchSlot(workspace, pageBytes, 1)
    table.add(0x01020304, Raw, 0x0a0b0c0d)
    table.add(7, Keep, 4)
    const start = table.write(slot)
    expect(start).toBe(slot.payloadStart - 24)
    expect([...slot.bytes.subarray(start, slot.payloadStart)]).toEqual(
      [4, 3, 2, 1, 1, 0, Raw, 0, 13, 12, 11, 10].concat([7, 0, 0, 0, 1, 0, Keep, 0, 4, 0, 0, 0]),
    )
  })
})

describe('OpenBatch', () => {
  const batchOf = (pages: number): OpenBatch => {
    const batch = new OpenBatch(PageClass.Plain, pageBytes, hasher)
    batch.begin(new BatchSlot(workspace, pageBytes, pages))
    return batch
  }

  it('has no more entries than a table, kept pages included', () => {
    for (const kept of [0, 1000]) {
      const batch = batchOf(16)
      for (let i = 0; i < kept; i++) batch.keep(2 * i, i)
      let page = 0
      while (batch.hasRoom(0, 16)) {
        batch.addZero(page)
        page += 2
        batch.keep(page, 1)
      }
      const { entryCount } = batch.close(1, 0)
      expect(entryCount).toBeGreaterThan(BATCH_ENTRIES_MAX - 4)
      expect(entryCount).toBeLessThanOrEqual(BATCH_ENTRIES_MAX)
    }
  })

  it('has no more pages with content than a receiver takes', () => {
    const batch = batchOf(16)
    let page = 0
    while (batch.hasRoom(8, 16)) batch.add(page++, Reference, 8, fingerprints, 0)
    expect(page).toBe(BATCH_PAYLOAD_BYTES_MAX / pageBytes)
    expect(batch.close(1, 0)).toMatchObject({ entryCount: 1, decodedBytes: page * 8, rawPages: 0 })
  })

  it('has no more payload than pages, with room for what is kept', () => {
    const batch = batchOf(4)
    let page = 0
    while (batch.hasRoom(pageBytes, 4)) {
      batch.add(page, Raw, pageBytes, fingerprints, 0)
      batch.keep(page, page)
      page++
    }
    const closed = batch.close(3, 9)
    expect(closed).toMatchObject({ entryCount: 2, round: 3, region: 9, rawPages: page })
    expect(closed.decodedBytes).toBe(page * (pageBytes + 4))
    expect(closed.decodedBytes).toBeLessThanOrEqual(4 * pageBytes)
  })

  it('is empty after it was closed, and begins anew', () => {
    const batch = batchOf(2)
    const { slot } = batch
    batch.addSameAs(4, 1, 8, fingerprints, 0)
    batch.keep(4, 2)
    batch.sums[1] = 5
    expect(batch.isEmpty).toBe(false)
    expect(batch.close(1, 0).digest).not.toBe(0n)
    expect([batch.isEmpty, batch.slot, batch.sums[1]]).toEqual([true, undefined, 0])
    batch.begin(slot!)
    // Would join the run before, if that were still there.
    expect(batch.addSameAs(5, 1, 9, fingerprints, 1)).toBe(12)
    expect(batch.close(1, 0)).toMatchObject({ entryCount: 1, decodedBytes: 12 })
    batch.begin(slot!)
    batch.addZero(1)
    expect(batch.close(1, 0)).toMatchObject({ digest: 0n, decodedBytes: 0 })
  })

  it('names runs of other pages by their first, as long as both go on', () => {
    const batch = batchOf(2)
    const lengths = [
      [10, 1, 50],
      [11, 1, 51],
      [12, 2, 52],
      [13, 2, 53],
      [15, 2, 54],
      [16, 2, 56],
      [17, 2, 57],
    ].map(([page, region, other]) => batch.addSameAs(page!, region!, other!, fingerprints, 0))
    expect(lengths).toEqual([12, 4, 12, 4, 12, 12, 4])
    const visited: number[] = []
    batch.forEachContent((page) => visited.push(page))
    expect(visited).toEqual([10, 11, 12, 13, 15, 16, 17])
    expect(batch.close(1, 0).entryCount).toBe(4)
  })
})

describe('batches as an encoder closes them', () => {
  it.each([1, 2, 3, 7])('have no more than %i pages where that is the most', (batchPages) => {
    const rig = new Rig({ lengths: [40 * pageBytes], encode: 'same,delta', batchPages })
    for (let round = 0; round < 3; round++) {
      for (let page = 0; page < 40; page++) {
        rig.store(0, page, randomContent(pageBytes, round * 100 + page))
      }
      for (const { header } of rig.round().frames) {
        expect(header.decodedBytes).toBeLessThanOrEqual(batchPages * pageBytes)
      }
      expect(rig.differing()).toEqual([])
    }
  })

  it('may be of zero pages only: thousands of them, by turns with unchanged ones', () => {
    const pages = 12_000
    const rig = new Rig({ lengths: [pages * pageBytes], encode: 'same' })
    for (let page = 0; page < pages; page++) rig.store(0, page, Uint8Array.of(1))
    rig.round()
    for (let page = 0; page < pages; page += 2) rig.store(0, page, Uint8Array.of(0))
    const { frames, tally } = rig.round()
    expect(tally.zeroPages).toBe(pages / 2)
    expect(frames.map(({ header }) => header.entryCount)).toEqual([4094, 1906])
    expect(rig.differing()).toEqual([])
  })

  it('name as many pages as a receiver takes', () => {
    const pages = 3000
    const rig = new Rig({ lengths: [pages * pageBytes], encode: 'same', storePages: 8 })
    rig.store(0, 0, randomContent(pageBytes, 1))
    rig.round()
    for (let page = 1; page < pages; page++) rig.store(0, page, rig.page(0, 0))
    const { frames, tally } = rig.round()
    expect(tally.samePages).toBe(pages - 1)
    expect(frames.length).toBe(3)
    expect(frames.flatMap(({ entries }) => entries.map(({ encoding }) => encoding))).toContain(
      SameAs,
    )
    expect(rig.differing()).toEqual([])
  })
})
