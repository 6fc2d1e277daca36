import { PageBitmap, systemClock } from '@godwit/core'
import { ByteMapTracker } from '@godwit/memory'
import { FingerprintTable } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Arrivals } from './arrivals.ts'
import { ArrivingPieces, limitWindow } from './arriving-pieces.ts'
import type { LaneRound, RoundWork } from './round-work.ts'
import { cutShort, emptyRound } from './round-work.ts'

const turn = (): Promise<void> => new Promise(setImmediate)

/** Memory whose pages come by themselves, and lanes that send them when they are told to. */
class Stage {
  readonly maps: readonly Uint8Array[]
  readonly arrivals: Arrivals
  /** Pages that were sent in this round, as `region/page`, in the order of the lanes. */
  readonly sent: string[] = []
  /** What the guest answers when it is asked for pages. */
  answers: number[] = []
  asked: PromiseWithResolvers<number> | undefined
  readonly #pageCounts: readonly number[]

  constructor(pageCounts: readonly number[]) {
    this.#pageCounts = pageCounts
    this.maps = pageCounts.map((pages) => new Uint8Array(new SharedArrayBuffer(pages)))
    const trackers = this.maps.map((map) => new ByteMapTracker({ map, pageCount: map.length }))
    const nextPages = (): Promise<number> => {
      this.asked = Promise.withResolvers()
      return this.asked.promise
    }
    this.arrivals = new Arrivals(nextPages, trackers, { pageBytes: 4096, clock: systemClock })
  }

  /** @param pages - of the round, as region and page */
  begin(pages: readonly (readonly [number, number])[], ownedPages = 0, lanes = 1): Round {
    const dirty = this.#pageCounts.map((pageCount) => PageBitmap.shared(pageCount))
    for (const [region, page] of pages) dirty[region]!.add(page)
    const marks = { untouched: undefined, again: undefined, leavesAgain: false, push: undefined }
    const left = this.#pageCounts.map((pageCount) => PageBitmap.shared(pageCount))
    const own = this.arrivals.begin(dirty, lanes, ownedPages)
    const work = { round: 2, known: true, mayLack: true, dirty, left, ...marks, ...own }
    return new Round(work, this.arrivals, this.sent, lanes)
  }

  come(region: number, ...pages: readonly number[]): void {
    for (const page of pages) this.maps[region]![page] = 1
  }

  /** Has the engine hear of what came. */
  async tell(mostPages: number): Promise<void> {
    this.asked!.resolve(mostPages)
    await turn()
  }

  get marks(): string[] {
    return this.maps.flatMap((map, region) =>
      [...map.entries()].filter(([, mark]) => mark !== 0).map(([page]) => `${region}/${page}`),
    )
  }
}

class Round {
  readonly work: RoundWork
  readonly ended: Promise<LaneRound>
  goOns = 0
  readonly #lanes: readonly ArrivingPieces[]
  readonly #sent: string[]
  readonly #sending = Promise.withResolvers<LaneRound>()

  constructor(work: RoundWork, arrivals: Arrivals, sent: string[], lanes: number) {
    this.work = work
    this.#sent = sent
    const region = { id: 0, name: 'r', bytes: new Uint8Array(0) }
    const pages = work.dirty.map(({ pageCount }) => {
      return { region, fingerprints: FingerprintTable.shared(pageCount, 8) }
    })
    this.#lanes = Array.from({ length: lanes }, (_, index) => {
      const lane = { index, lanes }
      return new ArrivingPieces(work, work.arriving!, pages, lane, () => arrivals.hungry())
    })
    this.ended = arrivals.run(work, this.#sending.promise, () => this.goOns++)
    this.ended.catch(() => {})
  }

  /** Lanes send up to so many pieces each. @returns whether all of them are through */
  async send(pieces = Infinity): Promise<boolean> {
    const through = this.#lanes.map((lane) => this.#sendPieces(lane, pieces))
    if (through.every(Boolean)) this.#sending.resolve(emptyRound())
    await turn()
    return through.every(Boolean)
  }

  #sendPieces(lane: ArrivingPieces, pieces: number): boolean {
    for (let piece = 0; piece < pieces; piece++) {
      if (lane.awaitsMore()) return false
      if (!lane.take()) return true
      const { dirty } = lane.region!
      for (; lane.page < lane.endPage; lane.page++) {
        if (dirty.has(lane.page)) this.#sent.push(`${lane.regionIndex}/${lane.page}`)
      }
    }
    return false
  }

  fail(error: Error): void {
    this.#sending.reject(error)
  }
}

describe('a round whose pages come by themselves', () => {
  it('has what comes behind its pages, and leaves the rest to the next one', async () => {
    const stage = new Stage([200, 100])
    const round = stage.begin([
      [0, 7],
      [0, 33],
    ])
    expect([await round.send(), stage.sent]).toEqual([false, ['0/7', '0/33']])
    // Within the word of the set that has page 33, and in the next region.
    stage.come(0, 34, 199)
    stage.come(1, 5)
    await stage.tell(100)
    expect([await round.send(), stage.sent.slice(2)]).toEqual([false, ['0/34', '0/199', '1/5']])
    expect(round.goOns).toBe(1)
    // From the beginning again: that is the guest's next pass.
    stage.come(0, 3)
    stage.come(1, 5)
    await stage.tell(100)
    expect([await round.send(), stage.sent.length, stage.marks]).toEqual([true, 5, ['0/3', '1/5']])
    await expect(round.ended).resolves.toEqual(emptyRound())
  })

  it('tells how far through memory it is', async () => {
    const stage = new Stage([200, 200])
    expect(stage.arrivals.passedShare).toBe(1)
    const round = stage.begin([[0, 99]])
    expect(stage.arrivals.passedShare).toBe(0.25)
    stage.come(1, 99)
    await stage.tell(100)
    expect(stage.arrivals.passedShare).toBe(0.75)
    await round.send()
    await stage.tell(0)
    await round.send()
    expect(stage.arrivals.passedShare).toBe(1)
    stage.begin([])
    expect(stage.arrivals.passedShare).toBe(1 / 400)
  })

  it('ends where none are worth waiting for', async () => {
    const stage = new Stage([100])
    const round = stage.begin([])
    stage.come(0, 50)
    await stage.tell(0)
    expect([await round.send(), stage.marks]).toEqual([true, ['0/50']])
    await round.ended
  })

  it('takes no more than may wait, until lanes have sent half of it', async () => {
    const stage = new Stage([2000])
    const round = stage.begin([])
    for (let page = 0; page < 2000; page++) stage.come(0, page)
    await stage.tell(256)
    expect(stage.marks.length).toBe(2000 - 256)
    const { asked } = stage
    await round.send(1)
    expect([stage.sent.length, stage.asked === asked]).toEqual([64, true])
    await round.send(1)
    expect([stage.sent.length, stage.asked === asked]).toEqual([128, false])
    await stage.tell(256)
    expect(stage.marks.length).toBe(2000 - 256 - 128)
  })

  it('has one lane send what that has sent before', async () => {
    const stage = new Stage([1000])
    const round = stage.begin([[0, 10]], 64, 2)
    stage.come(0, 63, 64, 65, 127, 128, 200)
    await stage.tell(100)
    await round.send()
    // The first lane has pages 0 to 63 and 128 to 191, the other one those between and behind.
    expect(stage.sent).toEqual(['0/10', '0/63', '0/128', '0/64', '0/65', '0/127', '0/200'])
  })

  it('says how much each lane may have on its way', async () => {
    const stage = new Stage([100])
    const round = stage.begin([], 0, 2)
    const windowOf = (): number => Math.max(...round.work.arriving!.slice(4))
    limitWindow(round.work.arriving!, 1)
    stage.come(0, 1)
    await stage.tell(1024)
    expect(windowOf()).toBe(2 * 1024 * 1024)
    await round.send()
    stage.come(0, 2)
    await stage.tell(128)
    expect(windowOf()).toBe(512 * 1024)
  })

  it('loses no page, and sends none twice, however they come', async () => {
    const pass = fc.array(fc.nat(699), { maxLength: 60 })
    const facts = [fc.array(pass, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 3 })]
    await fc.assert(
      fc.asyncProperty(
        ...(facts as [fc.Arbitrary<number[][]>, fc.Arbitrary<number>]),
        fc.array(fc.nat(5), { minLength: 5, maxLength: 30 }),
        async (passes, lanes, sizes) => {
          const stage = new Stage([300, 400])
          const round = stage.begin([[0, 0]], lanes > 1 ? 64 : 0, lanes)
          const order = passes.flatMap((pages) => [...new Set(pages)].toSorted((a, b) => a - b))
          let at = 0
          let isThrough = false
          for (let step = 0; !isThrough && step < 500; step++) {
            const size = 1 + sizes[step % sizes.length]!
            for (const place of order.slice(at, (at += size))) {
              if (place < 300) stage.come(0, place)
              else stage.come(1, place - 300)
            }
            await stage.tell(at < order.length ? 64 * size : 0)
            isThrough = await round.send(size)
          }
          expect(isThrough).toBe(true)
          await round.ended
          const seen = new Set(['0/0', ...stage.sent, ...stage.marks])
          const came = order.slice(0, at)
          const names = came.map((place) => (place < 300 ? `0/${place}` : `1/${place - 300}`))
          expect(seen).toEqual(new Set(['0/0', ...names]))
          expect(new Set(stage.sent).size).toBe(stage.sent.length)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('is cut short, and what comes then is left', async () => {
    const stage = new Stage([100])
    const round = stage.begin([])
    stage.come(0, 1, 2)
    await stage.tell(100)
    cutShort(round.work)
    // Nobody waits for the guest any more.
    const isOver = (): boolean => round.work.arriving![1] === 1
    expect(isOver()).toBe(false)
    stage.arrivals.endNow()
    await turn()
    expect(isOver()).toBe(true)
    stage.come(0, 5)
    expect([await round.send(), stage.sent, stage.marks]).toEqual([true, [], ['0/5']])
    await round.ended
    expect(round.work.left![0]!.size).toBe(2)
  })

  it('takes nothing more when it is cut short while it looks through much memory', async () => {
    const pageCount = 3 << 18
    for (const isCut of [false, true]) {
      const stage = new Stage([pageCount])
      const round = stage.begin([])
      stage.come(0, pageCount - 1)
      stage.asked!.resolve(100)
      // It looks at a part, and others have their turn.
      await Promise.resolve()
      await Promise.resolve()
      await Promise.resolve()
      if (isCut) cutShort(round.work)
      for (let i = 0; i < 10; i++) await turn()
      expect(stage.marks).toEqual(isCut ? [`0/${pageCount - 1}`] : [])
    }
  })

  it('fails with its lanes, and where the guest does', async () => {
    const stage = new Stage([100])
    const round = stage.begin([])
    round.fail(new Error('a lane is lost'))
    await expect(round.ended).rejects.toThrow('a lane is lost')
    const other = stage.begin([])
    await turn()
    stage.asked!.reject(new Error('the guest is gone'))
    await expect(other.ended).rejects.toThrow('the guest is gone')
    expect(await other.send()).toBe(true)
  })
})
