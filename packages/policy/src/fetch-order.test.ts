import { PageBitmap } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Chunk, Pivot } from './fetch-order.ts'
import { FETCH_NAMES, FetchOrder, PIVOTS_MAX } from './fetch-order.ts'

const fetch = fc.constantFrom(...FETCH_NAMES)
const region = fc
  .tuple(fc.integer({ min: 1, max: 300 }), fc.array(fc.nat(), { maxLength: 100 }), fc.boolean())
  .map(([pageCount, pages, all]) => {
    const bitmap = new PageBitmap(pageCount)
    for (const page of pages) bitmap.add(page % pageCount)
    if (all) bitmap.addAll()
    return bitmap
  })
const regions = fc.array(region, { minLength: 1, maxLength: 4 })
const places = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 9 })

function full(...pageCounts: number[]): PageBitmap[] {
  return pageCounts.map((pageCount) => {
    const bitmap = new PageBitmap(pageCount)
    bitmap.addAll()
    return bitmap
  })
}

/** Takes the pages of a chunk that are left. @returns how many */
function take(left: readonly PageBitmap[], { region: index, firstPage, endPage }: Chunk): number {
  let count = 0
  for (let page = firstPage; page < endPage; page++) if (left[index]!.claim(page)) count++
  return count
}

/** Chunks as text, each taken before the next is asked for. */
function chunks(
  order: FetchOrder,
  left: readonly PageBitmap[],
  pivots: readonly Pivot[],
  pages: number,
  count: number,
): (string | undefined)[] {
  return Array.from({ length: count }, () => {
    const chunk = order.next(left, pivots, pages)
    if (chunk === undefined) return undefined
    take(left, chunk)
    return `${chunk.region}: ${chunk.firstPage}-${chunk.endPage - 1}`
  })
}

describe('a fetch order', () => {
  it('gives every page that is left exactly once, to however many lanes', () => {
    const lanes = fc.integer({ min: 1, max: 5 })
    const size = fc.integer({ min: 1, max: 70 })
    fc.assert(
      fc.property(fetch, regions, places, lanes, size, (name, left, faults, laneCount, pages) => {
        const all = left.reduce((sum, bitmap) => sum + bitmap.size, 0)
        const orders = Array.from({ length: laneCount }, () => new FetchOrder(name))
        const pivots: Pivot[] = []
        let taken = 0
        for (let turn = 0; ; turn++) {
          const [place, page] = faults[turn % 11] ?? []
          if (place !== undefined) {
            const index = place % left.length
            pivots.unshift({ region: index, page: page! % left[index]!.pageCount })
          }
          const chunk = orders[turn % laneCount]!.next(left, pivots, pages)
          if (chunk === undefined) break
          const { firstPage, endPage } = chunk
          expect(firstPage >= 0 && endPage > firstPage && endPage - firstPage <= pages).toBe(true)
          expect(endPage).toBeLessThanOrEqual(left[chunk.region]!.pageCount)
          const found = take(left, chunk)
          expect(found).toBeGreaterThan(0)
          taken += found
        }
        expect(taken).toBe(all)
        // One that found nothing left is right, whoever asks.
        for (const order of orders) expect(order.next(left, pivots, pages)).toBeUndefined()
      }),
    )
  })

  it.each(['push', 'demand'] as const)('%s goes from the beginning to the end', (name) => {
    const pivots = [{ region: 1, page: 50 }]
    expect(chunks(new FetchOrder(name), full(25, 60), pivots, 20, 6)).toEqual([
      '0: 0-19',
      '0: 20-24',
      '1: 0-19',
      '1: 20-39',
      '1: 40-59',
      undefined,
    ])
  })

  it('push goes around to what was left behind', () => {
    const left = full(20)
    const order = new FetchOrder('push')
    for (let page = 0; page < 10; page++) left[0]!.delete(page)
    expect(chunks(order, left, [], 5, 1)).toEqual(['0: 10-14'])
    left[0]!.add(3)
    expect(chunks(order, left, [], 5, 3)).toEqual(['0: 15-19', '0: 3-7', undefined])
  })

  it('prepage goes on from the last fault, and onwards where nothing is left there', () => {
    const left = full(20, 100)
    const order = new FetchOrder('prepage')
    const [older, newer] = [
      { region: 1, page: 10 },
      { region: 1, page: 90 },
    ]
    expect(chunks(order, left, [older], 5, 2)).toEqual(['1: 10-14', '1: 15-19'])
    expect(chunks(order, left, [newer, older], 5, 3)).toEqual(['1: 90-94', '1: 95-99', '0: 0-4'])
  })

  it('bubbles go ahead of a new fault, then grow around every pivot, on both sides', () => {
    const left = full(30, 100)
    const order = new FetchOrder('bubbles')
    const pivots = [
      { region: 1, page: 50 },
      { region: 0, page: 10 },
    ]
    for (const { region: index, page } of pivots) left[index]!.delete(page)
    const ahead = ['1: 51-55', '1: 56-60', '1: 61-65', '1: 66-70']
    expect(chunks(order, left, pivots, 5, 4)).toEqual(ahead)
    // Every other chunk goes on there.
    expect(chunks(order, left, pivots, 5, 8)).toEqual([
      '1: 71-75',
      '1: 76-80',
      '1: 45-49',
      '1: 81-85',
      '0: 11-15',
      '1: 86-90',
      '0: 5-9',
      '1: 91-95',
    ])
    // One side is full: the others go on.
    expect(chunks(order, left, pivots, 5, 5)).toEqual([
      '1: 96-99',
      '1: 40-44',
      '0: 16-20',
      '0: 0-4',
      '1: 35-39',
    ])
  })

  it('bubbles go ahead of each new fault anew, and the other pivots keep their turns', () => {
    const left = full(1000)
    const order = new FetchOrder('bubbles')
    const older = { region: 0, page: 100 }
    const newer = { region: 0, page: 700 }
    for (const { page } of [older, newer]) left[0]!.delete(page)
    const first = chunks(order, left, [older], 10, 5).map((chunk) => chunk!.split('-')[0])
    expect(first).toEqual(['0: 101', '0: 111', '0: 121', '0: 131', '0: 141'])
    const second = chunks(order, left, [newer, older], 10, 7).map((chunk) => chunk!.split('-')[0])
    expect(second.slice(0, 4)).toEqual(['0: 701', '0: 711', '0: 721', '0: 731'])
    expect(second.slice(4)).toEqual(['0: 690', '0: 741', '0: 151'])
  })

  it.each([
    ['up from a fault below', [50, 40], ['51', '61']],
    ['down from a fault above', [50, 60], ['40', '30']],
    ['where the newer of two came from', [500, 510, 400], ['490', '480']],
    ['up where the others are far away', [50, 900], ['51', '61']],
  ])('bubbles go %s', (_, pages, expected) => {
    const left = full(1000)
    const pivots = pages.map((page) => ({ region: 0, page }))
    for (const page of pages) left[0]!.delete(page)
    const got = chunks(new FetchOrder('bubbles'), left, pivots, 10, 2)
    expect(got.map((chunk) => /(\d+)-/.exec(chunk!)![1])).toEqual(expected)
  })

  it('bubbles follow no more pivots than there may be', () => {
    const left = full(1000)
    const pivots = Array.from({ length: PIVOTS_MAX + 3 }, (_, i) => ({
      region: 0,
      page: 50 + i * 100,
    }))
    const order = new FetchOrder('bubbles')
    const firsts = chunks(order, left, pivots, 1, 40).map((chunk) => Number(/\d+$/.exec(chunk!)))
    expect(new Set(firsts.map((page) => Math.round(page / 100 - 0.5) * 100 + 50)).size).toBe(
      PIVOTS_MAX,
    )
  })

  it.each(FETCH_NAMES)('%s waits only for those who ask', (name) => {
    const waits = [0, 1, 999, 1000, 5000].map((ms) => new FetchOrder(name).waitMs(ms))
    expect(waits).toEqual(name === 'demand' ? [1000, 999, 1, 0, 0] : [0, 0, 0, 0, 0])
  })
})
