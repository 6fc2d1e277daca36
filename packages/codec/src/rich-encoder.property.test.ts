import { PageBitmap } from '@godwit/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Rig } from '../test/rig.ts'
import { changed, randomContent, randomOf, recordContent, textContent } from '../test/content.ts'

/** One thing that a guest does; numbers are taken modulo what there is. */
const anyStore = fc.record({
  kind: fc.constantFrom(
    'counter',
    'counter',
    'random',
    'text',
    'records',
    'copy',
    'copyChanged',
    'swap',
    'back',
    'zero',
    'shift',
    'mark',
  ),
  region: fc.nat(2),
  page: fc.nat(60),
  other: fc.nat(60),
  seed: fc.nat(5),
})
type Store = typeof anyStore extends fc.Arbitrary<infer T> ? T : never

const encodings = [
  'same',
  'delta',
  'same,delta',
  'delta,admit=marked',
  'mdd',
  'same,mdd',
  'zstd',
  'lz4',
  'mecom',
  'same,delta,zstd',
  'same,mdd,lz4',
  'same,mdd,mecom',
  'auto',
]

const anyGuest = fc.record({
  encode: fc.constantFrom(...encodings),
  lanes: fc.integer({ min: 1, max: 2 }),
  pageBytes: fc.constantFrom(4096, 4096, 8192),
  pages: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 3 }),
  /** Bytes of a short last page. */
  rest: fc.constantFrom(0, 1, 7, 100, 4000),
  hash: fc.constantFrom('xxh3', 'xxh3', 'xxh64', 'sha256'),
  cachePages: fc.integer({ min: 1, max: 40 }),
  storePages: fc.integer({ min: 0, max: 20 }),
  batchPages: fc.constantFrom(1, 2, 5, 16),
  portable: fc.boolean(),
  first: fc.array(anyStore, { maxLength: 40 }),
  rounds: fc.array(
    fc.record({
      stores: fc.array(anyStore, { maxLength: 25 }),
      seed: fc.nat(),
      live: fc.boolean(),
    }),
    { minLength: 1, maxLength: 6 },
  ),
})

/** Does what stores say; older contents are in `past`. */
class Guest {
  readonly #rig: Rig
  readonly #past: Uint8Array[] = []

  constructor(rig: Rig) {
    this.#rig = rig
  }

  store({ kind, region, page, other, seed }: Store): void {
    const rig = this.#rig
    const at = region % rig.source.length
    const count = rig.marked[at]!.pageCount
    const index = page % count
    const bytes = rig.page(at, index)
    const otherRegion = seed % rig.source.length
    const otherIndex = other % rig.marked[otherRegion]!.pageCount
    const there = rig.page(otherRegion, otherIndex)
    if (this.#past.length < 50) this.#past.push(bytes.slice())
    switch (kind) {
      case 'counter':
        rig.store(at, index, Uint8Array.of(bytes[other % bytes.length]! + 1), other % bytes.length)
        break
      case 'random':
        rig.store(at, index, randomContent(rig.pageBytes, seed))
        break
      case 'text':
        rig.store(at, index, textContent(rig.pageBytes, seed))
        break
      case 'records':
        rig.store(at, index, recordContent(rig.pageBytes, seed))
        break
      case 'copy':
        rig.store(at, index, there.slice())
        break
      case 'copyChanged':
        rig.store(at, index, changed(there, 1 + seed, other))
        break
      case 'swap': {
        const mine = bytes.slice()
        rig.store(at, index, there.slice())
        rig.store(otherRegion, otherIndex, mine)
        break
      }
      case 'back':
        rig.store(at, index, this.#past[other % this.#past.length]!)
        break
      case 'zero':
        rig.store(at, index, new Uint8Array(rig.pageBytes))
        break
      case 'shift':
        this.#shift(at, index)
        break
      case 'mark':
        rig.store(at, index, new Uint8Array(0))
        break
    }
  }

  /** Everything from a page on moves by one page. */
  #shift(region: number, from: number): void {
    const rig = this.#rig
    for (let page = rig.marked[region]!.pageCount - 1; page > from; page--) {
      rig.store(region, page, rig.page(region, page - 1).slice())
    }
  }
}

/** Pages that are zero as the first round begins. */
function zeroPages(rig: Rig): PageBitmap[] {
  return rig.marked.map(({ pageCount }, region) => {
    const set = new PageBitmap(pageCount)
    for (let page = 0; page < pageCount; page++) {
      if (rig.page(region, page).every((byte) => byte === 0)) set.add(page)
    }
    return set
  })
}

const isLong = process.env['GODWIT_LONG'] !== undefined
const timeout = isLong ? 900_000 : 60_000

it('memory is the same after any rounds, whatever lanes encode with', { timeout }, () => {
  fc.assert(
    fc.property(anyGuest, ({ pages, rest, first, rounds, ...options }) => {
      const lengths = pages.map((count, i) => {
        return i === 0
          ? (count - 1) * options.pageBytes + (rest || options.pageBytes)
          : count * options.pageBytes
      })
      const rig = new Rig({ ...options, lengths })
      const guest = new Guest(rig)
      for (const store of first) guest.store(store)
      const round = (seed: number, live: readonly Store[]): void => {
        const random = randomOf(seed)
        const left = [...live]
        const during = (): void => {
          while (left.length > 0 && random(2) === 0) guest.store(left.pop()!)
        }
        const isUntold = rig.roundNumber > 0 || seed % 2 === 0
        const untouched = isUntold ? {} : { untouched: zeroPages(rig) }
        const again = { again: live.length > 0, leaves: seed % 3 === 0 }
        const { naks } = rig.round({ seed, ...again, during, ...untouched })
        expect(naks).toEqual([])
        expect(rig.differing()).toEqual([])
      }
      round(rounds[0]!.seed, rounds[0]!.stores)
      for (const { stores, seed, live } of rounds) {
        if (!live) for (const store of stores) guest.store(store)
        round(seed, live ? stores : [])
      }
      round(2, [])
      expect(rig.marked.every(({ size }) => size === 0)).toBe(true)
    }),
    { numRuns: isLong ? 5000 : 50 },
  )
})
