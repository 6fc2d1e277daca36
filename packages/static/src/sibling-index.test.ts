import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PAGE_BYTES, createHasher, memoryOf, sampleOf } from '../test/guests.ts'
import type { SiblingMode } from './sibling-index.ts'
import { NO_PAGE, SiblingSearch, allocateFoundPages, indexSet } from './sibling-index.ts'

/** A set of numbered pages; the first have page ids. */
function setOf(numbers: readonly number[], positions: readonly number[]) {
  const { hashes } = sampleOf(numbers)
  return { pageBytes: PAGE_BYTES, hashes, positions: Uint32Array.from(positions) }
}

const hasher = createHasher()

/** Looks through a sibling piece by piece. */
function search(
  set: ReturnType<typeof setOf>,
  mode: SiblingMode,
  sibling: readonly number[],
  chunkPages = 3,
): number[] {
  const index = indexSet(set, mode)
  const found = allocateFoundPages(index)
  const siblingSearch = new SiblingSearch(index, hasher, found)
  for (let page = 0; page < sibling.length; page += chunkPages) {
    const bytes = memoryOf(sibling.slice(page, page + chunkPages))
    if (!siblingSearch.wants(page, chunkPages)) continue
    hasher.staging.set(bytes)
    siblingSearch.search(bytes.length, page)
  }
  return [...found].map((page) => (page === NO_PAGE ? -1 : page))
}

describe('entries of a static set', () => {
  const set = setOf([1, 2, 2, 3, 4, 5], [0, 2, 5])

  it('are found by page id where the sibling has the same there', () => {
    expect(search(set, 'position', [1, 0, 2, 2, 3, 3])).toEqual([0, 2, -1, -1, -1, -1])
    expect(search(set, 'position', [2, 1, 1, 4, 5, 2])).toEqual([-1, -1, 5, -1, -1, -1])
    expect(search(set, 'position', [1])).toEqual([0, -1, -1, -1, -1, -1])
  })

  it('are found by content wherever it is, all entries that have it', () => {
    expect(search(set, 'content', [0, 9, 5, 3, 2, 2])).toEqual([-1, 4, 4, 3, -1, 2])
    expect(search(set, 'content', [])).toEqual([-1, -1, -1, -1, -1, -1])
  })

  it('are found exactly: compared with looking at every page', () => {
    const numbers = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 })
    fc.assert(
      fc.property(numbers, numbers, fc.integer({ min: 1, max: 9 }), (entries, sibling, chunk) => {
        const found = search(setOf(entries, []), 'content', sibling, chunk)
        expect(found).toEqual(entries.map((number) => sibling.indexOf(number)))
        const positions = entries.map((_, i) => i * 2)
        const there = search(setOf(entries, positions), 'position', sibling, chunk)
        expect(there).toEqual(entries.map((number, i) => (sibling[i * 2] === number ? i * 2 : -1)))
      }),
    )
  })

  it('are looked for only where a page id is, in that mode', () => {
    const index = indexSet(setOf([1, 2], [10, 20]), 'position')
    const one = new SiblingSearch(index, hasher, allocateFoundPages(index))
    const wants = [0, 10, 11, 15, 20, 21].map((page) => one.wants(page, 6))
    expect(wants).toEqual([false, true, false, true, true, false])
  })

  it('with equal first words are told apart', () => {
    const near = setOf([1, 2, 3], [0, 1, 2])
    near.hashes[20]! ^= 1
    for (const mode of ['content', 'position'] as const) {
      expect(search(near, mode, [1, 2, 3])).toEqual([-1, 1, 2])
    }
  })

  it('are never a short page, whatever stood behind it before', () => {
    const hashes = new Uint8Array(32)
    hasher.staging.set(memoryOf([1]))
    hasher.look(PAGE_BYTES - 1)
    hasher.hashPage(0, hashes, 0)
    for (const mode of ['content', 'position'] as const) {
      const index = indexSet({ pageBytes: PAGE_BYTES, hashes, positions: Uint32Array.of(0) }, mode)
      const found = allocateFoundPages(index)
      new SiblingSearch(index, hasher, found).search(PAGE_BYTES - 1, 0)
      expect([...found]).toEqual([NO_PAGE])
    }
  })
})
