import { CONTENT_HASH_BYTES, PageBitmap } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import type { AgreedSet, StaticIndex } from './static-index.ts'
import { entryOfHash, heldEqual, mayHaveWord, staticLookup } from './static-index.ts'

/** Hashes by number, which all begin with the same word where `word` says so. */
function hashesOf(numbers: readonly number[], bytesEach: number, word?: number): Uint8Array {
  const words = new Uint32Array((numbers.length * bytesEach) / 4)
  numbers.forEach((number, i) => {
    const at = (i * bytesEach) / 4
    if (number === 0) return
    words.fill(number, at, at + bytesEach / 4)
    words[at] = word ?? number
  })
  return new Uint8Array(words.buffer)
}

const heldOf = (count: number, entries: readonly number[]): PageBitmap => {
  const held = new PageBitmap(count)
  for (const entry of entries) held.add(entry)
  return held
}

function indexOf(set: AgreedSet): StaticIndex {
  return staticLookup([set])!.indexes[0]!
}

function mapOf(numbers: readonly number[], held: readonly number[], word?: number): StaticIndex {
  const hashes = hashesOf(numbers, CONTENT_HASH_BYTES, word)
  const set = { hashes, positions: new Uint32Array(0) }
  return indexOf({ by: 'content', set, held: heldOf(numbers.length, held) })
}

const find = (index: StaticIndex, number: number, word?: number): number => {
  const bytes = hashesOf([number], index.wordsPerEntry * 4, word)
  return entryOfHash(index, new Uint32Array(bytes.buffer))
}

describe('a content of a map', () => {
  it('is found where any of its entries is held, whichever comes first', () => {
    const numbers = [5, 6, 5, 7, 5]
    for (const held of [0, 2, 4]) expect(find(mapOf(numbers, [held]), 5)).toBe(held)
    expect(find(mapOf(numbers, [1, 3]), 5)).toBe(-1)
    expect(mayHaveWord(mapOf(numbers, [4]), 5)).toBe(true)
    expect(mayHaveWord(mapOf(numbers, [1, 3]), 5)).toBe(false)
  })

  it('is found beside others whose hashes begin alike', () => {
    const index = mapOf([5, 6, 5, 7], [2, 3], 9)
    expect([5, 6, 7].map((number) => find(index, number, 9))).toEqual([2, -1, 3])
  })

  it('is found though another stands at very many places', () => {
    const numbers = [...Array.from({ length: 500 }, () => 1), 2]
    const index = mapOf(numbers, [7, 500], 9)
    expect([find(index, 1, 9), find(index, 2, 9)]).toEqual([7, 500])
  })

  it('is known by any entry that has it', () => {
    const index = mapOf([5, 6, 5, 7], [2, 3])
    expect([0, 1, 2, 3].map((entry) => heldEqual(index, entry))).toEqual([2, -1, 2, 3])
  })
})

describe('keyed hashes', () => {
  it('that are zeros stand for nothing, and keep nobody from being found', () => {
    const numbers = [...Array.from({ length: 500 }, () => 0), 512]
    const hashes = hashesOf(numbers, 16, 0)
    const held = heldOf(numbers.length, [500])
    const index = indexOf({ by: 'keyed', key: new Uint8Array(32), hashes, held })
    expect([find(index, 512, 0), find(index, 0)]).toEqual([500, -1])
    const slots = index.table.length / 2
    const used = Array.from({ length: slots }, (_, i) => index.table[i * 2]).filter((one) => one)
    expect(used).toHaveLength(2)
  })
})
