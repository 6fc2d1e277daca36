import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PageBitmap } from './bitmap.ts'

/** A set, and the pages it has. */
const filled = fc
  .tuple(fc.integer({ min: 1, max: 200 }), fc.array(fc.nat(), { maxLength: 300 }))
  .map(([pageCount, numbers]) => {
    const pages = new Set(numbers.map((number) => number % pageCount))
    return { pages, bitmap: bitmapOf(pageCount, pages) }
  })

function bitmapOf(pageCount: number, pages: Iterable<number>): PageBitmap {
  const bitmap = PageBitmap.shared(pageCount)
  for (const page of pages) bitmap.add(page)
  return bitmap
}

function pagesOf(bitmap: PageBitmap): number[] {
  return Array.from({ length: bitmap.pageCount }, (_, page) => page).filter((page) =>
    bitmap.has(page),
  )
}

describe('PageBitmap', () => {
  it('takes in another set, and gives it up again', () => {
    fc.assert(
      fc.property(filled, fc.array(fc.nat()), ({ pages, bitmap }, numbers) => {
        const others = new Set(numbers.map((number) => number % bitmap.pageCount))
        const other = bitmapOf(bitmap.pageCount, others)
        bitmap.addOthers(other)
        expect(pagesOf(bitmap)).toEqual(
          [...new Set([...pages, ...others])].toSorted((a, b) => a - b),
        )
        bitmap.removeAll(other)
        expect(pagesOf(bitmap)).toEqual(
          [...pages].filter((page) => !others.has(page)).toSorted((a, b) => a - b),
        )
      }),
    )
  })

  it('finds the last page before every place', () => {
    fc.assert(
      fc.property(filled, ({ pages, bitmap }) => {
        for (let end = 0; end <= bitmap.pageCount; end++) {
          const before = [...pages].filter((page) => page < end)
          expect(bitmap.lastSet(end)).toBe(Math.max(-1, ...before))
        }
      }),
    )
  })

  it('finds the next page, and the next that is not there, from every place', () => {
    fc.assert(
      fc.property(filled, fc.nat(200), ({ pages, bitmap }, limit) => {
        const end = Math.min(limit, bitmap.pageCount)
        for (let from = 0; from < end; from++) {
          const set = (isSet: boolean): number => {
            let page = from
            while (page < end && pages.has(page) !== isSet) page++
            return page
          }
          expect(bitmap.nextSet(from, end)).toBe(set(true))
          expect(bitmap.nextClear(from, end)).toBe(set(false))
        }
      }),
    )
  })

  it('gives each page to whoever claims it first', () => {
    fc.assert(
      fc.property(filled, fc.array(fc.nat()), ({ pages, bitmap }, claims) => {
        // Of another thread, say, over the same memory.
        const other = new PageBitmap(bitmap.pageCount, bitmap.words)
        const left = new Set(pages)
        for (const [i, number] of claims.entries()) {
          const page = number % bitmap.pageCount
          expect((i % 2 === 0 ? bitmap : other).claim(page)).toBe(left.delete(page))
        }
        expect(new Set(pagesOf(bitmap))).toEqual(left)
        expect(bitmap.size).toBe(left.size)
      }),
    )
  })

  it('claims the page of the highest bit of a word', () => {
    const bitmap = bitmapOf(64, [31, 63])
    expect([bitmap.claim(31), bitmap.claim(31), bitmap.claim(63), bitmap.claim(62)]).toEqual([
      true,
      false,
      true,
      false,
    ])
    expect(bitmap.size).toBe(0)
  })

  it('loses what another set has, and nothing else', () => {
    fc.assert(
      fc.property(filled, fc.array(fc.nat()), ({ pages, bitmap }, numbers) => {
        const others = new Set(numbers.map((number) => number % bitmap.pageCount))
        const other = bitmapOf(bitmap.pageCount, others)
        bitmap.removeAll(other)
        expect(new Set(pagesOf(bitmap))).toEqual(
          new Set([...pages].filter((page) => !others.has(page))),
        )
        expect(new Set(pagesOf(other))).toEqual(others)
      }),
    )
  })
})
