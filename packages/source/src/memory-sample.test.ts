import type { Clock } from '@godwit/core'
import { PageBitmap, systemClock } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import type { OnLook } from './made-up-memory.ts'
import { createMemory } from './made-up-memory.ts'
import { LOOKS_PER_TURN, SAMPLED_PAGES, sampleMemory, timePass } from './memory-sample.ts'
import { CHUNK_PAGES } from './sweep.ts'

/** 128 chunks. */
const pageCount = 128 * CHUNK_PAGES
const chunks = pageCount / CHUNK_PAGES

/** Memory whose looks are counted, page for page. */
function counted(pageCounts: readonly number[]) {
  const looks: string[] = []
  const memory = createMemory(pageCounts, (region, page) => looks.push(`${region}/${page}`))
  return { ...memory, takeLooks: () => looks.splice(0) }
}

describe('a sample', () => {
  it.each([
    ['every third page', (page: number) => page % 3 === 0],
    ['one page of each that is looked at', (page: number) => page % SAMPLED_PAGES === 0],
    ['the first half', (page: number) => page < pageCount / 2],
    ['pages here and there', (page: number) => Math.imul(page, 0x9e3779b1) >>> 24 < 13],
  ])('finds about as many pages as there are: %s', async (_name, isDirty) => {
    const { store, scan } = createMemory([pageCount])
    const pages = [...Array(pageCount).keys()].filter(isDirty)
    for (const page of pages) store(0, page)
    const errors = await Promise.all(
      [0, 1, 2, 3].map(async (turn) => {
        const { dirtyPages } = await sampleMemory(scan(), turn, systemClock, undefined, undefined)
        return Math.abs(dirtyPages - pages.length)
      }),
    )
    // 32 n give or take 32 times the root of n; three of that is next to never passed.
    const error = SAMPLED_PAGES * Math.sqrt(pages.length / SAMPLED_PAGES)
    expect(errors.filter((one) => one > 3 * error)).toEqual([])
  })

  it('is exact where all pages are dirty, and where none is', async () => {
    const { store, scan, takeLooks } = counted([CHUNK_PAGES + 70, 5])
    const none = await sampleMemory(scan(), 0, systemClock, undefined, undefined)
    expect(none.dirtyPages).toBe(0)
    expect(none.hot.map((hits) => [...hits])).toEqual([[0, 0], [0]])
    // Of 32 pages each, the last 6 of the one region, and the 5 of the other.
    expect(takeLooks()).toHaveLength(16 + 3 + 1)
    for (let page = 0; page < CHUNK_PAGES + 70; page++) store(0, page)
    for (let page = 0; page < 5; page++) store(1, page)
    const all = await sampleMemory(scan(), 0, systemClock, undefined, undefined)
    expect(all.dirtyPages).toBe(CHUNK_PAGES + 75)
    expect(all.hot.map((hits) => [...hits])).toEqual([[16, 3], [1]])
  })

  it('looks at no more memory once it is over', async () => {
    const { scan, takeLooks } = counted([pageCount])
    let isOver = false
    const sampling = sampleMemory(scan(), 0, systemClock, undefined, undefined, () => isOver)
    expect(takeLooks()).toHaveLength(LOOKS_PER_TURN)
    isOver = true
    await sampling
    expect(takeLooks()).toEqual([])
  })

  it('looks at fewer pages where nothing was dirty the last time', async () => {
    const { store, scan, takeLooks } = counted([pageCount])
    for (let page = 7 * CHUNK_PAGES; page < 8 * CHUNK_PAGES; page++) store(0, page)
    const first = await sampleMemory(scan(), 0, systemClock, undefined, undefined)
    expect([first.dirtyPages, first.hot[0]![7]]).toEqual([CHUNK_PAGES, 16])
    expect(takeLooks()).toHaveLength(pageCount / SAMPLED_PAGES)
    for (let page = 0; page < CHUNK_PAGES; page++) store(0, page)
    const second = await sampleMemory(scan(), 1, systemClock, undefined, first.hot)
    expect(takeLooks()).toHaveLength(16 + (chunks - 1) * 2)
    // One page stands for as many as it was taken of.
    expect([second.dirtyPages, second.hot[0]![0]]).toEqual([2 * CHUNK_PAGES, 2])
  })

  it('is of other pages every time', async () => {
    const { scan, takeLooks } = counted([pageCount])
    await sampleMemory(scan(), 0, systemClock, undefined, undefined)
    const first = new Set(takeLooks())
    await sampleMemory(scan(), 1, systemClock, undefined, undefined)
    const again = takeLooks().filter((page) => first.has(page))
    // One of 32 by chance.
    expect(again.length).toBeLessThan((2 * first.size) / SAMPLED_PAGES)
  })

  it('does not look at what is known to be zero', async () => {
    const { store, scan, takeLooks } = counted([2 * CHUNK_PAGES])
    store(0, 0)
    const addZeros = (_region: number, into: PageBitmap): void => {
      for (let page = 0; page < CHUNK_PAGES; page++) into.add(page)
    }
    const { dirtyPages } = await sampleMemory(scan(addZeros), 0, systemClock, undefined, undefined)
    expect(dirtyPages).toBe(0)
    const pages = takeLooks().map((name) => Number(name.split('/')[1]))
    expect([pages.length, Math.min(...pages) >= CHUNK_PAGES]).toEqual([16, true])
  })

  it('does not look at what is known to be what was sent', async () => {
    const { store, scan, takeLooks } = counted([2 * CHUNK_PAGES])
    for (const page of [0, CHUNK_PAGES]) store(0, page)
    const kept = [new PageBitmap(2 * CHUNK_PAGES)]
    for (let page = 0; page < CHUNK_PAGES; page++) kept[0]!.add(page)
    for (let turn = 0; turn < 40; turn++) {
      const { hot } = await sampleMemory(scan(), turn, systemClock, kept, undefined)
      expect(hot[0]![0]).toBe(0)
    }
    const pages = takeLooks().map((name) => Number(name.split('/')[1]))
    expect([pages.length, Math.min(...pages) >= CHUNK_PAGES]).toEqual([40 * 16, true])
  })

  it('lets others have their turn', async () => {
    let turns = 0
    const soon = (task: () => void): void => {
      turns++
      systemClock.soon(task)
    }
    const { scan } = createMemory([pageCount])
    await sampleMemory(scan(), 0, { ...systemClock, soon }, undefined, undefined)
    // 16 looks in each chunk, 512 a turn.
    expect(turns).toBe((chunks * 16) / 512)
  })
})

describe('the time of a look at all memory', () => {
  /** A page takes 1/64 ms, which has no rounding, and some of them longer. */
  function timed(pageCounts: readonly number[], slow: OnLook = () => 0) {
    let nowMs = 0
    let looks = 0
    const clock: Clock = { ...systemClock, nowMs: () => nowMs }
    const { scan } = createMemory(pageCounts, (region, page) => {
      looks++
      nowMs += 1 / 64
      slow(region, page)
    })
    const advance = (ms: number): void => void (nowMs += ms)
    const ms = (kept?: readonly PageBitmap[]): number => timePass(scan(), clock, kept)
    return { ms, looks: () => looks, advance }
  }

  it('is that of the pages only that are looked at', () => {
    const { ms, looks } = timed([pageCount])
    const kept = new PageBitmap(pageCount)
    for (let page = pageCount / 4; page < pageCount; page++) kept.add(page)
    expect(ms([kept])).toBe(pageCount / 4 / 64)
    // As long as what there is to look at is known, it matters not where that is.
    expect(looks()).toBe(8 * CHUNK_PAGES)
    kept.addAll()
    expect(ms([kept])).toBe(0)
  })

  it('is told by eight stretches of it, wherever they are', () => {
    const { ms, looks } = timed([pageCount])
    expect(ms()).toBe(pageCount / 64)
    expect(looks()).toBe(8 * CHUNK_PAGES)
    const several = timed([pageCount / 2, pageCount / 4, pageCount / 4])
    expect(several.ms()).toBe(pageCount / 64)
    expect(several.looks()).toBe(8 * CHUNK_PAGES)
  })

  it('is not that of whoever had the processor in between', () => {
    const disturbed = timed([pageCount], (_region, page) => {
      if (page === 0 || page === pageCount / 2) disturbed.advance(1000)
    })
    expect(disturbed.ms()).toBe(pageCount / 64)
  })
})
