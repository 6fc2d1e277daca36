import { FingerprintTable, PageBitmap } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  ArrivingPieces,
  addPiece,
  arrivingWords,
  endPieces,
  hasRoom,
  limitWindow,
  sayHungryAt,
  takeParked,
} from './arriving-pieces.ts'
import type { RoundWork } from './round-work.ts'
import { PIECE_WORDS, cutPieces, cutShort, ownerOf } from './round-work.ts'

const ownedOf = { nobody: 0, lanes: 64 } as const

interface Round {
  readonly work: RoundWork & { readonly arriving: Int32Array }
  readonly lanes: readonly ArrivingPieces[]
  /** Of each lane, how often it said that it is hungry. */
  readonly hungry: number[]
}

/** A round of one region without a page. */
function roundOf(pageCount: number, laneCount: number, ownedPages = 0, room = 1000): Round {
  const dirty = [PageBitmap.shared(pageCount)]
  const marks = { untouched: undefined, again: undefined, leavesAgain: false, push: undefined }
  const left = [PageBitmap.shared(pageCount)]
  const own = { ...cutPieces(dirty, laneCount, { ownedPages }), left, ...marks }
  const pieces = new Uint32Array(new SharedArrayBuffer(room * PIECE_WORDS * 4))
  const facts = { round: 2, known: true, mayLack: true, dirty }
  const work = { ...facts, ...own, pieces, arriving: arrivingWords(0) }
  const region = { id: 0, name: 'r', bytes: new Uint8Array(0) }
  const sent = [{ region, fingerprints: FingerprintTable.shared(pageCount, 8) }]
  const hungry = Array.from({ length: laneCount }, () => 0)
  const lanes = hungry.map((_, index) => {
    const lane = { index, lanes: laneCount }
    return new ArrivingPieces(work, work.arriving, sent, lane, () => void hungry[index]!++)
  })
  return { work, lanes, hungry }
}

function add({ work }: Round, firstPage: number, endPage: number): void {
  for (let page = firstPage; page < endPage; page++) work.dirty[0]!.add(page)
  addPiece(work, 0, firstPage, endPage)
}

/** Sends the piece that a lane is at. @returns where it begins */
function send(lane: ArrivingPieces): number {
  const { page } = lane
  lane.page = lane.endPage
  return page
}

describe('pieces that are made while a round goes on', () => {
  it.each(['nobody', 'lanes'] as const)('are taken once each, where they are of %s', (whose) => {
    const steps = fc.array(fc.nat(3), { minLength: 1, maxLength: 80 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), steps, (laneCount, order) => {
        const round = roundOf(6400, laneCount, ownedOf[whose])
        const taken: [number, number][] = []
        let added = 0
        const turn = (index: number): boolean => {
          const lane = round.lanes[index]!
          if (lane.awaitsMore() || !lane.take()) return false
          taken.push([send(lane), index])
          return true
        }
        for (const step of order) {
          if (step < laneCount) turn(step)
          else add(round, added * 64, ++added * 64)
        }
        endPieces(round.work.arriving)
        for (let index = 0; index < laneCount; index++) while (turn(index));
        const pages = taken.map(([page]) => page).toSorted((a, b) => a - b)
        expect(pages).toEqual(Array.from({ length: added }, (_, piece) => piece * 64))
        expect(round.lanes.map((lane) => [lane.awaitsMore(), lane.take()])).toEqual(
          round.lanes.map(() => [false, false]),
        )
        const owners = taken.map(([page]) => ownerOf(page, laneCount, 64))
        const areOwned = whose === 'lanes' && laneCount > 1
        expect(areOwned ? taken.map(([, lane]) => lane) : owners).toEqual(owners)
      }),
      { numRuns: 100 },
    )
  })

  it('are waited for, and who waits is to be told', () => {
    const round = roundOf(640, 2)
    const { arriving } = round.work
    const [one, other] = round.lanes
    expect([takeParked(arriving), one!.awaitsMore(), takeParked(arriving)]).toEqual([
      false,
      true,
      true,
    ])
    expect([takeParked(arriving), one!.awaitsMore()]).toEqual([false, true])
    add(round, 0, 64)
    expect([one!.awaitsMore(), one!.page, one!.endPage, other!.awaitsMore()]).toEqual([
      false,
      0,
      64,
      true,
    ])
  })

  it('are asked for in time, once', () => {
    const round = roundOf(6400, 2)
    for (let piece = 0; piece < 4; piece++) add(round, piece * 64, piece * 64 + 64)
    expect(sayHungryAt(round.work, 3)).toBe(true)
    const [one, other] = round.lanes
    for (const lane of [one!, other!]) expect([lane.take(), lane.take()]).toEqual([true, true])
    expect(round.hungry).toEqual([0, 0])
    send(one!)
    expect([one!.take(), round.hungry]).toEqual([true, [1, 0]])
    send(other!)
    expect([other!.take(), round.hungry]).toEqual([true, [1, 0]])
    // All are taken by now: nobody would say so any more.
    expect(sayHungryAt(round.work, 4)).toBe(false)
    send(one!)
    expect([one!.awaitsMore(), round.hungry]).toEqual([true, [2, 0]])
  })

  it('end where there is no room for more', () => {
    const round = roundOf(640, 1, 0, 2)
    add(round, 0, 64)
    expect(hasRoom(round.work)).toBe(true)
    add(round, 64, 128)
    expect(hasRoom(round.work)).toBe(false)
  })

  it('are left, page by page, where the round is cut short', () => {
    const round = roundOf(640, 2)
    for (const [first, end] of [
      [3, 9],
      [9, 20],
      [20, 31],
      [40, 41],
    ] as const) {
      add(round, first, end)
    }
    const [one, other] = round.lanes
    expect([one!.take(), other!.take()]).toEqual([true, true])
    one!.page = 5
    cutShort(round.work)
    expect([one!.awaitsMore(), other!.awaitsMore()]).toEqual([false, false])
    expect([other!.take(), one!.take()]).toEqual([false, false])
    const left = Array.from({ length: 640 }, (_, page) => page).filter((page) =>
      round.work.left![0]!.has(page),
    )
    expect(left).toEqual([...Array(26).keys()].map((i) => i + 5).concat(40))
    expect(one!.leftPages + other!.leftPages).toBe(left.length)
  })

  it('have a limit of what may be on its way, when there is one', () => {
    const { work, lanes } = roundOf(64, 1)
    expect(lanes[0]!.windowBytes).toBeGreaterThan(2 ** 30)
    limitWindow(work.arriving, 4096)
    expect(lanes[0]!.windowBytes).toBe(4096)
    limitWindow(work.arriving, 2 ** 40)
    expect(lanes[0]!.windowBytes).toBeGreaterThan(2 ** 30)
  })
})
