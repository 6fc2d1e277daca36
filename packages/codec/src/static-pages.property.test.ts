import { PageBitmap } from '@godwit/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { randomContent, randomOf, recordContent, textContent } from '../test/content.ts'
import { lookAhead } from '../test/look-ahead.ts'
import { Rig } from '../test/rig.ts'
import type { Entry, SetOptions } from '../test/siblings.ts'
import { Siblings } from '../test/siblings.ts'

const siblingPages = 24
const originCount = 3

/** Few contents, so that guests, sets and siblings have many in common. */
const anyContent = fc.nat(14)

function contentOf(seed: number, pageBytes: number): Uint8Array {
  if (seed === 0) return new Uint8Array(pageBytes)
  const make = [randomContent, recordContent, textContent][seed % 3]!
  return make(pageBytes, seed)
}

/** An entry; `origin` has one value that stands for nowhere. */
const anyEntry = fc.record({
  content: anyContent.map((seed) => Math.max(1, seed)),
  origin: fc.nat(originCount),
  page: fc.nat(siblingPages - 1),
})

const anySet = fc.record({
  by: fc.constantFrom('position', 'content', 'keyed' as const),
  entries: fc.array(anyEntry, { maxLength: 30 }),
  /** Of the first entries: where samples had them. */
  positions: fc.uniqueArray(fc.nat(80), { maxLength: 20 }),
})
type AnySet = typeof anySet extends fc.Arbitrary<infer T> ? T : never

/** What happens to a sibling while its pages are taken. */
const anyChange = fc.record({
  kind: fc.constantFrom('store', 'store', 'word', 'cut', 'remove'),
  origin: fc.nat(originCount - 1),
  page: fc.nat(siblingPages - 1),
  content: anyContent,
})

/** What the guest does meanwhile. */
const anyStore = fc.record({ region: fc.nat(2), page: fc.nat(40), content: anyContent })

type AnyStore = typeof anyStore extends fc.Arbitrary<infer T> ? T : never

const anyMove = fc.record({
  encode: fc.constantFrom(
    'none',
    'none',
    'same',
    'delta',
    'same,mdd',
    'zstd',
    'same,mecom',
    'auto',
  ),
  lanes: fc.integer({ min: 1, max: 2 }),
  pageBytes: fc.constantFrom(4096, 4096, 8192),
  /** Contents of the pages of each region. */
  regions: fc.array(fc.array(anyContent, { minLength: 1, maxLength: 30 }), {
    minLength: 1,
    maxLength: 3,
  }),
  /** Bytes of a short last page. */
  rest: fc.constantFrom(0, 1, 100, 4095),
  hash: fc.constantFrom('xxh3', 'xxh3', 'xxh64', 'sha256'),
  batchPages: fc.constantFrom(1, 5, 16),
  portable: fc.boolean(),
  sets: fc.array(anySet, { minLength: 1, maxLength: 3 }),
  changes: fc.array(anyChange, { maxLength: 20 }),
  stores: fc.array(anyStore, { maxLength: 10 }),
  /** Regions that are looked through ahead, and what the guest does then. */
  ahead: fc.nat(3),
  early: fc.array(anyStore, { maxLength: 10 }),
  seed: fc.nat(),
})

function setOf({ by, entries, positions }: AnySet, pageBytes: number): SetOptions {
  const ascending = positions.toSorted((a, b) => a - b)
  const made = entries.map(({ content, origin, page }, index): Entry => {
    const bytes = contentOf(content, pageBytes)
    const place = origin === originCount ? {} : { origin, page }
    const position = by === 'position' ? ascending[index] : undefined
    return { content: bytes, ...place, ...(position === undefined ? {} : { position }) }
  })
  return { by, entries: made }
}

const isLong = process.env['GODWIT_LONG'] !== undefined

it('memory is the same after any rounds, whatever siblings hold', { timeout: 200_000 }, () => {
  let found = 0
  let asked = 0
  fc.assert(
    fc.property(
      anyMove,
      ({ regions, rest, sets, changes, stores, ahead, early, seed, ...options }) => {
        const { pageBytes } = options
        const lengths = regions.map((pages, i) => {
          const last = i === 0 && rest > 0 ? rest : pageBytes
          return (pages.length - 1) * pageBytes + last
        })
        const made = sets.map((set) => setOf(set, pageBytes))
        const entryBytes = options.hash === 'sha256' ? 32 : 8
        const siblings = new Siblings(pageBytes, siblingPages, originCount, made, entryBytes)
        const staticPages = { lookup: siblings.lookup, contents: siblings.contents }
        const rig = new Rig({ ...options, lengths, staticPages })
        for (const [region, contents] of regions.entries()) {
          for (const [page, content] of contents.entries()) {
            rig.store(region, page, contentOf(content, pageBytes))
          }
        }
        const store = ({ region, page, content }: AnyStore): void => {
          const at = region % rig.source.length
          rig.store(at, page % rig.marked[at]!.pageCount, contentOf(content, pageBytes))
        }
        lookAhead(rig, siblings, { hash: options.hash, steps: ahead })
        for (const each of early) store(each)
        for (const set of rig.marked) set.addAll()
        const random = randomOf(seed)
        const [left, toStore] = [[...changes], [...stores]]
        const during = (): void => {
          while (left.length > 0 && random(2) === 0) change(siblings, left.pop()!, pageBytes)
          while (toStore.length > 0 && random(3) === 0) store(toStore.pop()!)
        }
        const first = rig.round({ seed, during, untouched: rig.source.map(noPages) })
        expect(rig.differing()).toEqual([])
        found += first.tally.staticPages
        asked += first.naks.length
        for (const set of rig.marked) set.addAll()
        const second = rig.round({ seed })
        expect(second.naks).toEqual([])
        expect(second.tally.staticPages).toBe(0)
        expect(rig.differing()).toEqual([])
      },
    ),
    { numRuns: isLong ? 2000 : 30 },
  )
  // Few tries may have little luck.
  expect(found).toBeGreaterThan(isLong ? 60 : 10)
  expect(asked).toBeGreaterThanOrEqual(isLong ? 6 : 0)
})

const noPages = ({ bytes }: { bytes: Uint8Array }): PageBitmap => {
  return new PageBitmap(Math.ceil(bytes.length / 4096))
}

function change(
  siblings: Siblings,
  { kind, origin, page, content }: typeof anyChange extends fc.Arbitrary<infer T> ? T : never,
  pageBytes: number,
): void {
  if (kind === 'store') siblings.store(origin, page, contentOf(content, pageBytes))
  else if (kind === 'word') siblings.store(origin, page, Uint8Array.of(content, 1, 2, 3), 1000)
  else siblings.cut(origin, kind === 'cut' ? page : undefined)
}
