import { PageBitmap } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OWNED_PAGES, PIECE_WORDS, Taken, cutPieces } from './round-work.ts'
import { emptyRound, isCutShort, sumOf, takePiece } from './round-work.ts'

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

describe('pieces of a round that are mixed', () => {
  it('are the same ones, and any few in a row are from all over the region', () => {
    const pageCount = 1 << 17
    const dirty = [bitmapOf(pageCount, []), bitmapOf(10_000, [])]
    for (const bitmap of dirty) bitmap.addAll()
    const { pieces } = cutPieces(dirty, 2, { isMixed: true })
    const firsts = Array.from(
      { length: pieces.length / PIECE_WORDS },
      (_, piece) => [...pieces.subarray(piece * PIECE_WORDS)] as [number, number, number],
    )
    const large = firsts.filter(([region]) => region === 0)
    expect(firsts.slice(0, large.length)).toEqual(large)
    const sorted = large.toSorted((a, b) => a[1] - b[1]).map(([, first, end]) => [first, end])
    const whole = Array.from({ length: 128 }, (_, piece) => [piece * 1024, (piece + 1) * 1024])
    expect(sorted).toEqual(whole)
    for (let at = 0; at + 8 <= large.length; at++) {
      const quarters = large
        .slice(at, at + 8)
        .map(([, first]) => Math.floor((4 * first) / pageCount))
      expect(new Set(quarters).size).toBe(4)
    }
  })
})

describe('pieces of a round where the guest stores somewhere', () => {
  const regions = fc.array(region, { minLength: 1, maxLength: 3 })
  const hits = fc.array(fc.nat(2), { minLength: 80, maxLength: 80 })

  it('hold every dirty page once, and what it stores to goes last', () => {
    const lanes = fc.integer({ min: 1, max: 16 })
    fc.assert(
      fc.property(regions, lanes, fc.array(hits, { minLength: 3, maxLength: 3 }), (...facts) => {
        const [dirty, count, all] = facts
        const hot = all.map((chunks) => Uint16Array.from(chunks))
        const { pieces, taken } = cutPieces(dirty, count, { hot })
        const covered = dirty.map(({ pageCount }) => new PageBitmap(pageCount))
        let pagesInPieces = 0
        for (let at = 0; at < pieces.length; at += PIECE_WORDS) {
          const [index, first, end] = pieces.subarray(at, at + PIECE_WORDS) as unknown as number[]
          const isLast = at >= taken[Taken.Tail]! * PIECE_WORDS
          const [from, to] = [Math.floor(first! / OWNED_PAGES), Math.ceil(end! / OWNED_PAGES)]
          const areHot = Array.from(hot[index!]!.slice(from, to), (hitCount) => hitCount > 0)
          expect([first! % 32, areHot]).toEqual([0, areHot.map(() => isLast)])
          for (let page = first!; page < end!; page++) covered[index!]!.add(page)
          pagesInPieces += end! - first!
        }
        // No page is in two of them.
        expect(covered.reduce((sum, { size }) => sum + size, 0)).toBe(pagesInPieces)
        const missed = dirty.flatMap((bitmap, index) =>
          [...bitmap.words].filter((word, at) => (word & ~covered[index]!.words[at]!) !== 0),
        )
        expect(missed).toEqual([])
      }),
      { numRuns: 60 },
    )
  })

  it('are taken once each, those that go last from where its stores are then', () => {
    fc.assert(
      fc.property(hits, fc.nat(), fc.nat(), (chunks, first, later) => {
        const dirty = [bitmapOf(40_000, [])]
        dirty[0]!.addAll()
        const work = cutPieces(dirty, 2, { hot: [Uint16Array.from(chunks)] })
        const count = work.pieces.length / PIECE_WORDS
        const tail = work.taken[Taken.Tail]!
        const [turn, other] = [first, later].map((one) => one % Math.max(1, count - tail))
        const order: number[] = []
        for (let i = 0; i < count; i++) {
          // It may change until the first of them is taken, and is of no use afterwards.
          if (i <= tail) work.taken[Taken.Turn] = turn!
          order.push(takePiece(work) / PIECE_WORDS)
          work.taken[Taken.Turn] = other!
        }
        const all = [...Array(count).keys()]
        expect(order).toEqual([
          ...all.slice(0, tail),
          ...all.slice(tail + turn!),
          ...all.slice(tail, tail + turn!),
        ])
        const ends = [takePiece(work), takePiece(work)].map((at) => at >= work.pieces.length)
        expect(ends).toEqual([true, true])
      }),
      { numRuns: 60 },
    )
  })

  it('are cut where that begins and ends, and all else is one for one lane', () => {
    const dirty = [bitmapOf(3000, [])]
    dirty[0]!.addAll()
    const { pieces, taken } = cutPieces(dirty, 1, { hot: [Uint16Array.of(0, 0, 3, 1, 0, 0)] })
    expect([...pieces]).toEqual(
      [
        [0, 0, 1024],
        [0, 2048, 3000],
        [0, 1024, 1536],
        [0, 1536, 2048],
      ].flat(),
    )
    expect([taken[Taken.Tail], taken[Taken.FirstTurn]]).toEqual([2, -1])
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
