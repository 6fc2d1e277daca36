import { FingerprintTable, KIB, PageBitmap, systemClock } from '@godwit/core'
import type { FetchName } from '@godwit/policy'
import { FETCH_NAMES } from '@godwit/policy'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FaultBoard } from './fault-board.ts'
import { PushPieces } from './push-pieces.ts'
import { cutPieces } from './round-work.ts'

interface Round {
  readonly left: readonly PageBitmap[]
  readonly board: FaultBoard
  readonly advance: (ms: number) => void
  /** Another lane. */
  readonly lane: () => PushPieces
}

function roundOf(fetch: FetchName, left: readonly PageBitmap[], pageBytes = 4096): Round {
  const board = new FaultBoard()
  let nowMs = 0
  const clock = { ...systemClock, nowMs: () => nowMs }
  const advance = (ms: number): void => void (nowMs += ms)
  const push = { left, board, fetch }
  const marks = { untouched: undefined, again: undefined, leavesAgain: false, left: undefined }
  const none = { ...marks, ...cutPieces([], 1) }
  const work = { round: 2, known: true, mayLack: false, dirty: left, ...none, push }
  const sent = left.map(({ pageCount }, id) => ({
    region: { id, name: `r${id}`, bytes: new Uint8Array(0) },
    fingerprints: FingerprintTable.shared(pageCount, 8),
  }))
  return { left, board, advance, lane: () => new PushPieces(work, push, sent, clock, pageBytes) }
}

function full(...pageCounts: number[]): PageBitmap[] {
  return pageCounts.map((pageCount) => {
    const bitmap = PageBitmap.shared(pageCount)
    bitmap.addAll()
    return bitmap
  })
}

/** Ends the chunk that a lane is at. @returns its pages, as `region/page` */
function finish(pieces: PushPieces, pagesMax = 64): string[] {
  const { region, regionIndex, page, endPage } = pieces
  expect(region).toMatchObject({ round: 2, known: true, postCopy: true })
  expect(region!.sent.region.id).toBe(regionIndex)
  expect(endPage - page).toBeLessThanOrEqual(pagesMax)
  const pages: string[] = []
  for (let at = 0; at < region!.dirty.pageCount; at++) {
    if (!region!.dirty.has(at)) continue
    expect(at >= page && at < endPage).toBe(true)
    pages.push(`${regionIndex}/${at}`)
  }
  pieces.page = endPage
  return pages
}

const region = fc
  .tuple(fc.integer({ min: 1, max: 500 }), fc.array(fc.nat(), { maxLength: 60 }), fc.boolean())
  .map(([pageCount, pages, all]) => {
    const bitmap = PageBitmap.shared(pageCount)
    for (const page of pages) bitmap.add(page % pageCount)
    if (all) bitmap.addAll()
    return bitmap
  })

describe('what lanes push', () => {
  it('is every page exactly once, whoever sends it, and whatever is asked for', () => {
    const regions = fc.array(region, { minLength: 1, maxLength: 3 })
    const lanes = fc.integer({ min: 1, max: 4 })
    const asked = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 30 })
    fc.assert(
      fc.property(fc.constantFrom(...FETCH_NAMES), regions, lanes, asked, (...facts) => {
        const [fetch, left, laneCount, asks] = facts
        const expected = left.flatMap((bitmap, index) =>
          Array.from({ length: bitmap.pageCount }, (_, page) => page)
            .filter((page) => bitmap.has(page))
            .map((page) => `${index}/${page}`),
        )
        const round = roundOf(fetch, left)
        const all = Array.from({ length: laneCount }, () => round.lane())
        const sent: string[] = []
        let urgent = 0
        for (let turn = 0; ; turn++) {
          const ask = asks[turn]
          if (ask !== undefined) {
            const index = ask[0] % left.length
            const page = ask[1] % left[index]!.pageCount
            round.board.add({ region: index, page })
            if (left[index]!.claim(page)) {
              sent.push(`${index}/${page}`)
              urgent++
            }
          }
          const pieces = all[turn % laneCount]!
          pieces.update(turn * 64 * KIB)
          if (!pieces.take()) break
          sent.push(...finish(pieces, pieces.window.chunkBytes / 4096))
        }
        expect(sent.toSorted()).toEqual(expected.toSorted())
        for (const pieces of all) {
          expect(pieces.take()).toBe(false)
          expect(pieces.region).toBeUndefined()
        }
        // What was taken is known, for pages that are asked for once more.
        const taken = all.flatMap((pieces) => pieces.taken.map((bitmap) => bitmap.size))
        expect(taken.reduce((sum, size) => sum + size, 0)).toBe(sent.length - urgent)
      }),
    )
  })

  it('stays at a chunk until all of it was sent', () => {
    const { lane } = roundOf('push', full(100))
    const pieces = lane()
    expect(pieces.take()).toBe(true)
    pieces.page = 7
    expect(pieces.take()).toBe(true)
    expect([pieces.page, pieces.endPage]).toEqual([7, 16])
    pieces.page = 16
    expect(pieces.take()).toBe(true)
    expect([pieces.page, pieces.endPage]).toEqual([16, 32])
    // Nothing of the chunk before is left in it.
    expect([pieces.region!.dirty.size, pieces.region!.dirty.nextSet(0)]).toEqual([16, 16])
  })

  it('is one page at least, and chunks grow with the window', () => {
    const { lane } = roundOf('push', full(100), 128 * KIB)
    const pieces = lane()
    const sizes = [0, 256 * KIB, 768 * KIB, 1792 * KIB].map((installed) => {
      pieces.update(installed)
      pieces.take()
      return finish(pieces).length
    })
    expect(sizes).toEqual([1, 1, 2, 4])
  })

  it('waits under demand until nobody has asked for a second', () => {
    const { lane, board, advance, left } = roundOf('demand', full(64))
    const pieces = lane()
    // Not all at once: others may take what is left meanwhile.
    expect(pieces.waitMs).toBe(20)
    advance(990)
    expect(pieces.waitMs).toBe(10)
    board.add({ region: 0, page: 9 })
    pieces.update(0)
    expect(pieces.waitMs).toBe(20)
    advance(999)
    expect(pieces.waitMs).toBe(1)
    advance(1)
    expect(pieces.waitMs).toBe(0)
    pieces.take()
    board.add({ region: 0, page: 40 })
    pieces.update(0)
    // What was taken already goes.
    expect(pieces.waitMs).toBe(0)
    pieces.page = pieces.endPage
    expect(pieces.waitMs).toBe(20)
    // Nothing is left to wait for.
    left[0]!.clear()
    expect(pieces.waitMs).toBe(0)
    expect(pieces.take()).toBe(false)
  })
})
