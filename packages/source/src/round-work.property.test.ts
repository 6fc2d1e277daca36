import { PageBitmap } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PIECE_WORDS, Taken, cutPieces, emptyRound, isCutShort, sumOf } from './round-work.ts'

function bitmapOf(pageCount: number, pages: readonly number[]): PageBitmap {
  const bitmap = PageBitmap.shared(pageCount)
  for (const page of pages) bitmap.add(page % pageCount)
  return bitmap
}

const region = fc
  .tuple(fc.integer({ min: 1, max: 40_000 }), fc.array(fc.nat(), { maxLength: 50 }), fc.boolean())
  .map(([pageCount, pages, all]) => {
    const bitmap = bitmapOf(pageCount, pages)
    if (all) bitmap.addAll()
    return bitmap
  })

describe('pieces of a round', () => {
  it('hold every dirty page once, in order, within its region', () => {
    const regions = fc.array(region, { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(regions, fc.integer({ min: 1, max: 64 }), (dirty, lanes) => {
        const { pieces, taken } = cutPieces(dirty, lanes)
        expect(taken[Taken.Pieces]).toBe(0)
        expect(isCutShort({ taken })).toBe(false)
        const covered = dirty.map(({ pageCount }) => new PageBitmap(pageCount))
        let [lastRegion, lastEnd] = [0, 0]
        for (let at = 0; at < pieces.length; at += PIECE_WORDS) {
          const [index, first, end] = pieces.subarray(at, at + PIECE_WORDS) as unknown as number[]
          expect(index! >= lastRegion && end! > first!).toBe(true)
          expect(first! >= (index === lastRegion ? lastEnd : 0)).toBe(true)
          for (let page = first!; page < end!; page++) covered[index!]!.add(page)
          lastRegion = index!
          lastEnd = end!
        }
        const missed = dirty.flatMap((bitmap, index) =>
          [...bitmap.words].filter((word, at) => (word & ~covered[index]!.words[at]!) !== 0),
        )
        expect(missed).toEqual([])
      }),
      { numRuns: 100 },
    )
  })

  it('are one per region for one lane, and many of like size for several', () => {
    const dirty = [bitmapOf(1 << 18, []), bitmapOf(1 << 18, []), bitmapOf(100, [7])]
    dirty[0]!.addAll()
    expect([...cutPieces(dirty, 1).pieces]).toEqual([0, 0, 1 << 18, 2, 0, 100])
    const { pieces } = cutPieces(dirty, 4)
    const count = pieces.length / PIECE_WORDS
    expect(count).toBeGreaterThan(60)
    const sizes = Array.from(
      { length: count - 2 },
      (_, i) => pieces[i * 3 + 2]! - pieces[i * 3 + 1]!,
    )
    expect(new Set(sizes).size).toBe(1)
  })
})

it('what lanes did adds up', () => {
  const one = { ...emptyRound(), batches: 2, pages: 3, digest: 2n ** 64n - 1n }
  const two = { ...emptyRound(), batches: 1, payloadBytes: 5, digest: 3n }
  expect(sumOf([one, two])).toEqual({
    ...emptyRound(),
    batches: 3,
    pages: 3,
    payloadBytes: 5,
    digest: 2n,
  })
})
