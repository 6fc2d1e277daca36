import { ok } from 'node:assert/strict'
import { PageStates, type PagePlacer, pagesCovering } from '@godwit/core'
import { PageEncoding } from '@godwit/wire'
import { describe, expect, it, vi } from 'vitest'
import { changed, randomContent } from '../test/content.ts'
import { Rig, type RigOptions } from '../test/rig.ts'
import { pagesByEncoding } from '../test/sent-frame.ts'
import { emptyTotals } from './batch-decoder.ts'

const pageBytes = 4096
const { Raw, Zero, SameAs, Reference, Delta, Keep, Similar } = PageEncoding

/** Notes what is placed, in memory of its own. */
class FakePlacer implements PagePlacer {
  readonly placed: Uint8Array
  readonly pages: number[] = []

  constructor(byteLength: number) {
    this.placed = new Uint8Array(byteLength).fill(0xee)
  }

  put(firstPage: number, bytes: Uint8Array, start: number, end: number): void {
    this.placed.set(bytes.subarray(start, end), firstPage * pageBytes)
    this.#note(firstPage, firstPage + pagesCovering(end - start, pageBytes))
  }

  clear(firstPage: number, endPage: number): void {
    this.placed.fill(0, firstPage * pageBytes, endPage * pageBytes)
    this.#note(firstPage, endPage)
  }

  #note(firstPage: number, endPage: number): void {
    for (let page = firstPage; page < endPage; page++) this.pages.push(page)
  }
}

const sorted = ({ pages }: FakePlacer): number[] => pages.toSorted((a, b) => a - b)

/** One region at the destination that can be run early. */
class Early {
  readonly rig: Rig
  placer!: FakePlacer
  states!: PageStates

  readonly #hasPlacer: boolean

  constructor(options: RigOptions, hasPlacer = true) {
    this.#hasPlacer = hasPlacer
    const postCopy: RigOptions['postCopy'] = ({ bytes }) => {
      this.placer = new FakePlacer(bytes.length)
      this.states = PageStates.shared(pagesCovering(bytes.length, pageBytes))
      return hasPlacer ? this : { states: this.states }
    }
    this.rig = new Rig({ ...options, postCopy })
  }

  /** A round that is lost on its way, whose pages come again once the guest runs. */
  afterRun(): { outcome: 'installed' | 'NAK'; pages: Readonly<Record<number, number>> } {
    const { rig } = this
    const { region, written, fingerprints } = rig.installed[0]!
    const held = [region.bytes, written, fingerprints!.bytes].map((one) => [one, one.slice()])
    const { frames } = rig.round()
    for (const [one, before] of held) one!.set(before!)
    this.states.discard(0, this.states.words.length)
    const views = vi.spyOn(region.bytes, 'subarray')
    let outcome: 'installed' | 'NAK' = 'installed'
    for (const { body } of frames) {
      const nak = rig.lanes[0]!.decoder.decode(body, rig.roundNumber, emptyTotals(), true)
      if (nak !== undefined) outcome = 'NAK'
    }
    // Whoever puts pages in place never looks at memory.
    ok(!this.#hasPlacer || views.mock.calls.length === 0)
    return { outcome, pages: pagesByEncoding(frames) }
  }
}

describe('pages that have to be put in place', () => {
  it('are placed once the guest runs, zero pages too, and memory is left alone', () => {
    const early = new Early({ lengths: [6 * pageBytes + 100], encode: 'none' })
    const { rig, placer, states } = early
    for (const page of [0, 1, 4, 6]) rig.store(0, page, randomContent(pageBytes, page))
    rig.round()
    expect(placer.pages).toEqual([])
    rig.store(0, 1, new Uint8Array(pageBytes))
    for (const page of [4, 5, 6]) rig.store(0, page, randomContent(pageBytes, 10 + page))
    const before = rig.target[0]!.bytes.slice()
    const { pages, outcome } = early.afterRun()
    expect([outcome, pages]).toEqual(['installed', { [Zero]: 1, [Raw]: 3 }])
    expect(rig.target[0]!.bytes).toEqual(before)
    expect(sorted(placer)).toEqual([1, 4, 5, 6])
    expect(placer.placed.subarray(pageBytes, 2 * pageBytes)).toEqual(rig.page(0, 1))
    const at = 4 * pageBytes
    expect(placer.placed.subarray(at)).toEqual(rig.source[0]!.bytes.subarray(at))
    expect([1, 4, 5, 6].every((page) => states.isPresent(page))).toBe(true)
    expect([0, 2, 3].some((page) => states.isPresent(page))).toBe(false)
    rig.checkFingerprints(0, rig.source[0]!.bytes)
    expect(rig.guardsAreWhole).toBe(true)
  })

  it('are placed where they are zero and always were', () => {
    const early = new Early({ lengths: [3 * pageBytes + 100], encode: 'none' })
    early.rig.store(0, 1, randomContent(pageBytes, 1))
    expect(early.afterRun().pages).toEqual({ [Zero]: 3, [Raw]: 1 })
    expect(sorted(early.placer)).toEqual([0, 1, 2, 3])
    expect(early.placer.placed).toEqual(early.rig.source[0]!.bytes)
    early.rig.checkFingerprints(0, early.rig.source[0]!.bytes)
  })

  it('are placed before anybody is told that they are there', () => {
    const early = new Early({ lengths: [pageBytes], encode: 'none' })
    early.rig.store(0, 0, randomContent(pageBytes, 1))
    const wasPresent: boolean[] = []
    const { placer } = early
    const put = placer.put.bind(placer)
    placer.put = (...args) => {
      wasPresent.push(early.states.isPresent(0))
      put(...args)
    }
    early.afterRun()
    expect([wasPresent, early.states.isPresent(0)]).toEqual([[false], true])
  })
})

describe('a record, once the guest runs', () => {
  const prepare: readonly [string, number, (rig: Rig) => void][] = [
    ['the same as another page', SameAs, (rig) => rig.store(0, 1, rig.page(0, 2).slice())],
    ['a delta', Delta, (rig) => rig.store(0, 1, changed(rig.page(0, 1), 3, 1))],
    ['a similar page', Similar, (rig) => rig.store(0, 1, changed(rig.page(0, 3), 9, 1))],
  ]

  function stored(hasPlacer: boolean): Early {
    const early = new Early({ lengths: [8 * pageBytes], encode: 'same,mdd' }, hasPlacer)
    for (let page = 0; page < 6; page++) early.rig.store(0, page, randomContent(pageBytes, page))
    early.rig.round()
    return early
  }

  it.each(prepare)('that names guest memory is asked for again: %s', (_, encoding, store) => {
    const plain = stored(false)
    store(plain.rig)
    const right = plain.afterRun()
    expect(right.outcome).toBe('installed')
    expect(Object.keys(right.pages)).toContain(String(encoding))
    const early = stored(true)
    store(early.rig)
    // All of what it names is in memory: only who does not look there does not find it.
    expect(early.afterRun().outcome).toBe('NAK')
    expect(early.placer.pages).toEqual([])
    expect(early.states.isPresent(1)).toBe(false)
    expect(early.states.claim(1)).toBe(true)
  })

  it('that names the store is as good as ever; nothing more is kept there', () => {
    const early = stored(true)
    const { rig, placer } = early
    rig.store(0, 1, randomContent(pageBytes, 101))
    rig.round()
    rig.store(0, 1, randomContent(pageBytes, 1))
    rig.store(0, 4, randomContent(pageBytes, 104))
    const { pages, outcome } = early.afterRun()
    expect([outcome, pages]).toEqual(['installed', { [Raw]: 1, [Reference]: 1, [Keep]: 1 }])
    expect(sorted(placer)).toEqual([1, 4])
    for (const page of [1, 4]) {
      const at = page * pageBytes
      expect(placer.placed.subarray(at, at + pageBytes)).toEqual(rig.page(0, page))
    }
    rig.checkFingerprints(0, rig.source[0]!.bytes)
  })
})
