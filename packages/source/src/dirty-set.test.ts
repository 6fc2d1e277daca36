import type { PageBitmap, Region } from '@godwit/core'
import { pagesCovering, systemClock } from '@godwit/core'
import { ByteMapTracker } from '@godwit/memory'
import { describe, expect, it } from 'vitest'
import { DirtySet } from './dirty-set.ts'

const pageBytes = 4096

/** Two regions, of 40 pages and of 1, and who stores to them. */
function create(): { set: DirtySet; store: (region: number, page: number) => void } {
  const regions: Region[] = [40 * pageBytes, 100].map((length, id) => {
    return { id, name: `region ${id}`, bytes: new Uint8Array(length) }
  })
  const maps = regions.map(({ bytes }) => new Uint8Array(pagesCovering(bytes.length, pageBytes)))
  const trackers = maps.map((map) => new ByteMapTracker({ map, pageCount: map.length }))
  return {
    set: new DirtySet(regions, trackers, pageBytes, systemClock),
    store: (region, page) => {
      maps[region]![page] = 1
    },
  }
}

function pagesOf(bitmaps: readonly PageBitmap[]): string[] {
  return bitmaps.flatMap((bitmap, region) => {
    const pages = Array.from({ length: bitmap.pageCount }, (_, page) => page)
    return pages.filter((page) => bitmap.has(page)).map((page) => `${region}/${page}`)
  })
}

describe('what is set aside', () => {
  it('is in no round, and pending at last, but for what was sent', async () => {
    const { set, store } = create()
    store(0, 7)
    set.addTouched()
    set.setAside()
    expect([set.pages, set.hasAside]).toEqual([0, true])
    store(0, 3)
    store(0, 39)
    store(1, 0)
    expect(await set.collect()).toBe(3)
    expect(pagesOf(set.take())).toEqual(['0/3', '0/39', '1/0'])
    store(0, 3)
    store(0, 8)
    await set.collect()
    expect(pagesOf(set.take())).toEqual(['0/3', '0/8'])
    store(0, 39)
    await set.collect()
    set.addAside()
    const sent = ['0/3', '0/8', '1/0']
    const all = [...Array.from({ length: 40 }, (_, page) => `0/${page}`), '1/0']
    expect(pagesOf(set.take())).toEqual(all.filter((page) => !sent.includes(page)))
    expect(set.hasAside).toBe(false)
  })

  it('is nothing once rounds have sent every page', async () => {
    const { set, store } = create()
    set.addTouched()
    set.setAside()
    for (let page = 0; page < 40; page++) store(0, page)
    await set.collect()
    set.take()
    expect(set.hasAside).toBe(true)
    store(1, 0)
    await set.collect()
    set.take()
    expect(set.hasAside).toBe(false)
    set.addAside()
    expect(set.pages).toBe(0)
  })

  it('is nothing where nothing was', async () => {
    const { set } = create()
    set.addAll()
    expect([set.pages, set.hasAside]).toEqual([41, false])
    set.take()
    set.addAside()
    expect(set.pages).toBe(0)
  })
})
