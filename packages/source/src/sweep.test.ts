import { PageBitmap, systemClock } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MadeUpMemory, OnLook } from './made-up-memory.ts'
import { createMemory } from './made-up-memory.ts'
import type { MemoryScan } from './memory-scan.ts'
import type { RoundWork } from './round-work.ts'
import { cutShort, ownerOf } from './round-work.ts'
import type { Sweep } from './sweep.ts'
import { CHUNK_PAGES, SweepPieces, chunkCountOf, createSweep } from './sweep.ts'
import { endSweep, lookedAt, takeChunk } from './sweep.ts'

interface Settings {
  readonly lanes?: number
  readonly owned?: boolean
  /** Per region: hits in each chunk. */
  readonly hot?: readonly (readonly number[])[]
  readonly onLook?: OnLook
}

interface Round {
  readonly memory: MadeUpMemory
  readonly dirty: readonly PageBitmap[]
  readonly work: RoundWork
  readonly sweep: Sweep
  /** Somebody who looks, and sends nothing. */
  readonly looker: MemoryScan
  readonly lanes: readonly SweepPieces[]
  /** Time goes by. */
  readonly advance: (ms: number) => void
}

function setUp(pageCounts: readonly number[], settings: Settings = {}): Round {
  const { lanes: count = 1, owned = false, hot, onLook } = settings
  const memory = createMemory(pageCounts, onLook)
  const looker = memory.scan()
  const dirty = pageCounts.map((pageCount) => PageBitmap.shared(pageCount))
  const hits = hot?.map((chunks) => Uint16Array.from(chunks))
  const parts = createSweep(dirty, { zeros: looker.findZeros(), kept: undefined }, hits, owned)
  const { sweep } = parts
  const marks = { untouched: undefined, again: undefined, leavesAgain: false, left: undefined }
  const facts = { round: 3, known: true, mayLack: true, arriving: undefined, push: undefined }
  const work: RoundWork = { ...facts, ...marks, ...parts, dirty }
  let nowMs = 0
  const clock = { ...systemClock, nowMs: () => nowMs }
  const lanes = Array.from({ length: count }, (_, index) => {
    const lane = { index, lanes: count }
    return new SweepPieces(work, sweep, memory.sent, memory.scan(), clock, lane)
  })
  const advance = (ms: number): void => void (nowMs += ms)
  return { memory, dirty, work, sweep, looker, lanes, advance }
}

/** Sends the piece that a lane is at. @returns its pages, as `region/page` */
function send(pieces: SweepPieces): string[] {
  const { region, regionIndex, page, endPage } = pieces
  const pages = pagesOf(region!.dirty, page, endPage).map((at) => `${regionIndex}/${at}`)
  pieces.page = endPage
  return pages
}

function pagesOf(bitmap: PageBitmap, first = 0, end = bitmap.pageCount): number[] {
  const pages: number[] = []
  for (let page = first; page < end; page++) if (bitmap.has(page)) pages.push(page)
  return pages
}

describe('the chunks of a sweep', () => {
  it('are all of memory, and those where a sample found something come first', () => {
    const hot = [[0, 0, 2], [0], [1, 0]]
    const { work, sweep } = setUp([1200, 7, 1024], { hot })
    expect([...work.pieces]).toEqual(
      [
        [0, 1024, 1200],
        [2, 0, 512],
        [0, 0, 512],
        [0, 512, 1024],
        [1, 0, 7],
        [2, 512, 1024],
      ].flat(),
    )
    expect(sweep.states).toHaveLength(7)
    expect([1, 512, 513].map(chunkCountOf)).toEqual([1, 1, 2])
  })

  it('are looked at once each, until nobody is to begin with another one', () => {
    const { sweep } = setUp([1200, 7])
    expect([1, 2, 3, 4, 5, 6].map(() => takeChunk(sweep))).toEqual([0, 1, 2, 3, -1, -1])
    const other = setUp([1200, 7])
    expect(takeChunk(other.sweep)).toBe(0)
    endSweep(other.sweep)
    expect([1, 2, 3].map(() => takeChunk(other.sweep))).toEqual([-1, -1, -1])
  })

  it('count as dirty before they were looked at, page for page', () => {
    const { memory, dirty, work, sweep, looker } = setUp([1200, 7])
    expect(dirty.map(({ size }) => size)).toEqual([1200, 7])
    memory.store(0, 3)
    memory.store(0, 511)
    expect(looker.look(work, sweep)).toBe(true)
    expect(pagesOf(dirty[0]!)).toEqual([3, 511, ...Array(1200).keys()].filter(isLeft))
    expect(dirty[1]!.size).toBe(7)
    while (looker.look(work, sweep));
    expect(dirty.map((bitmap) => pagesOf(bitmap))).toEqual([[3, 511], []])

    function isLeft(page: number, at: number): boolean {
      return at < 2 || page >= CHUNK_PAGES
    }
  })
})

describe('what lanes take of a sweep', () => {
  const region = fc.tuple(fc.integer({ min: 1, max: 4000 }), fc.array(fc.nat(), { maxLength: 40 }))
  const regions = fc.array(region, { minLength: 1, maxLength: 3 })
  const lanes = fc.integer({ min: 1, max: 4 })
  const turns = fc.array(fc.nat(), { maxLength: 60 })
  const hits = fc.array(fc.nat(2), { minLength: 24, maxLength: 24 })

  it('is every dirty page once, and what is owned is its owner’s', () => {
    fc.assert(
      fc.property(regions, lanes, fc.boolean(), hits, turns, (...facts) => {
        const [all, count, owned, hot, order] = facts
        const looks = new Map<string, number>()
        const settings = {
          lanes: count,
          owned,
          hot: all.map(([pageCount], at) => hot.slice(at * 8).slice(0, chunkCountOf(pageCount))),
          onLook: (at: number, page: number) => {
            looks.set(`${at}/${page}`, (looks.get(`${at}/${page}`) ?? 0) + 1)
          },
        }
        const pageCounts = all.map(([pageCount]) => pageCount)
        const { memory, dirty, work, sweep, looker, lanes: pieces } = setUp(pageCounts, settings)
        for (const [at, [pageCount, pages]] of all.entries()) {
          for (const page of new Set(pages.map((one) => one % pageCount))) memory.store(at, page)
        }
        const sent = pieces.map((): string[] => [])
        const ended = new Set<number>()
        const turn = (who: number): void => {
          const lane = pieces[who]
          if (lane === undefined) return void looker.look(work, sweep)
          if (ended.has(who)) return
          if (lane.take()) sent[who]!.push(...send(lane))
          else ended.add(who)
        }
        for (const who of order) turn(who % (count + 1))
        for (let left = 2000; ended.size < count && left > 0; left--) turn(left % count)
        expect(ended.size).toBe(count)
        const expected = memory.sent.flatMap(({ region: { bytes } }, at) =>
          [...bytes.keys()].filter((page) => bytes[page] !== 0).map((page) => `${at}/${page}`),
        )
        expect(sent.flat().toSorted()).toEqual(expected.toSorted())
        expect(
          dirty.flatMap((bitmap, at) => pagesOf(bitmap).map((page) => `${at}/${page}`)),
        ).toEqual(expected)
        expect([looks.size, Math.max(...looks.values())]).toEqual([
          pageCounts.reduce((sum, pages) => sum + pages, 0),
          1,
        ])
        if (!owned) return
        for (const [index, pages] of sent.entries()) {
          const owners = pages.map((name) =>
            ownerOf(Number(name.split('/')[1]), count, CHUNK_PAGES),
          )
          expect(owners.filter((owner) => owner !== index)).toEqual([])
        }
      }),
      { numRuns: 60 },
    )
  })

  it('comes with all that a lane has to know of it', () => {
    const {
      memory,
      dirty,
      lanes: [lane],
    } = setUp([600, 600])
    memory.store(1, 515)
    while (lane!.take() && lane!.page === lane!.endPage);
    const { regionIndex, page, endPage, region: taken, leftPages } = lane!
    expect([regionIndex, page, endPage, leftPages]).toEqual([1, 512, 600, 0])
    expect(taken).toEqual({
      round: 3,
      sent: memory.sent[1],
      dirty: dirty[1],
      untouched: undefined,
      again: undefined,
      leavesAgain: false,
      known: true,
      postCopy: false,
      mayLack: true,
    })
    // Half of it is on its way: the rest of the piece is next.
    lane!.page = 515
    expect([lane!.take(), lane!.page]).toEqual([true, 515])
  })

  it('is an empty piece while another one is looking, not the end', () => {
    const {
      sweep,
      lanes: [lane],
    } = setUp([600])
    expect([takeChunk(sweep), takeChunk(sweep)]).toEqual([0, 1])
    expect([lane!.take(), send(lane!)]).toEqual([true, []])
    lookedAt(sweep, 0, false)
    expect([lane!.take(), send(lane!)]).toEqual([true, []])
    lookedAt(sweep, 1, true)
    expect([lane!.take(), lane!.page, lane!.endPage]).toEqual([true, 512, 600])
    send(lane!)
    expect(lane!.take()).toBe(false)
  })

  it('does not wait for what is another lane’s', () => {
    const {
      sweep,
      lanes: [first, second],
    } = setUp([600], { lanes: 2, owned: true })
    expect([takeChunk(sweep), takeChunk(sweep)]).toEqual([0, 1])
    lookedAt(sweep, 1, true)
    expect([second!.take(), second!.page, second!.endPage]).toEqual([true, 512, 600])
    send(second!)
    expect([second!.take(), first!.take()]).toEqual([false, true])
  })

  it('is looked for while others are sent, and the time of that is told', () => {
    let advance = (_ms: number): void => {}
    const round = setUp([1100], { onLook: () => advance(0.5) })
    advance = round.advance
    const {
      memory,
      lanes: [lane],
    } = round
    memory.store(0, 9)
    memory.store(0, 1099)
    expect([lane!.take(), lane!.page, lane!.lookMs]).toEqual([true, 0, 256])
    expect([lane!.lookAhead(), lane!.lookMs]).toEqual([true, 512])
    expect([lane!.lookAhead(), lane!.lookMs]).toEqual([true, 550])
    expect([lane!.lookAhead(), lane!.lookMs]).toEqual([false, 550])
    expect(send(lane!)).toEqual(['0/9'])
    expect([lane!.take(), send(lane!), lane!.take()]).toEqual([true, ['0/1099'], false])
    expect(lane!.lookMs).toBe(550)
  })

  it('is nothing more as soon as the round is cut short', () => {
    const { memory, work, sweep, looker, lanes } = setUp([4096], { lanes: 2 })
    for (let page = 0; page < 4096; page++) memory.store(0, page)
    const [first, second] = lanes
    expect([first!.take(), second!.take()]).toEqual([true, true])
    first!.page = 5
    cutShort(work)
    expect([first!.take(), first!.page, first!.endPage]).toEqual([false, 512, 512])
    expect([looker.look(work, sweep), second!.lookAhead()]).toEqual([false, false])
    expect(second!.take()).toBe(false)
  })
})
