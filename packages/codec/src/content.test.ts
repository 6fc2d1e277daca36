import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { randomContent } from '../test/content.ts'
import { ContentIndex } from './content-index.ts'
import { ContentStore } from './content-store.ts'

describe('ContentIndex', () => {
  it('has a power of two of entries, and at least two', () => {
    for (const [count, size] of [
      [0, 2],
      [1, 2],
      [2, 2],
      [3, 4],
      [1024, 1024],
      [1025, 2048],
    ] as const) {
      expect(new ContentIndex(count).byteLength).toBe(size * 4)
    }
  })

  it('answers what was set last in a place, or nothing', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 0xffffffff }), fc.nat({ max: 0xfffffffe }))),
        fc.integer({ min: 0, max: 40 }),
        (pairs, count) => {
          const index = new ContentIndex(count)
          const size = index.byteLength / 4
          const model = new Map<number, number>()
          for (const [mark, value] of pairs) {
            expect(index.get(mark)).toBe(model.get(mark % size) ?? -1)
            index.set(mark, value)
            model.set(mark % size, value)
          }
          for (const [mark] of pairs) expect(index.get(mark)).toBe(model.get(mark % size))
        },
      ),
    )
  })
})

describe('ContentStore', () => {
  it('keeps copies, short ones with their length, until a slot is given anew', () => {
    const store = new ContentStore(10 * 4096 + 4095, 4096)
    expect(store.slotCount).toBe(10)
    const page = randomContent(4096, 1)
    store.put(9, page)
    store.put(0, page.subarray(100, 107))
    page.fill(0)
    expect(store.get(9)).toEqual(randomContent(4096, 1))
    expect(store.get(0)).toEqual(randomContent(4096, 1).subarray(100, 107))
    store.put(9, page.subarray(0, 1))
    expect(store.get(9)).toEqual(new Uint8Array(1))
    expect([store.get(5), store.get(10), store.get(2 ** 32 - 1)]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  it('takes memory for 64 slots at a time, and no more than it was given', () => {
    const store = new ContentStore(150 * 4096, 4096)
    expect(store.byteLength).toBe(0)
    const page = new Uint8Array(4096).fill(1)
    const lengths = [0, 63, 64, 149].map((slot) => {
      store.put(slot, page)
      return store.byteLength / 4096
    })
    expect(lengths).toEqual([64, 64, 128, 150])
    for (let slot = 0; slot < 150; slot++) store.put(slot, page.fill(slot))
    for (let slot = 0; slot < 150; slot++) expect(store.get(slot)![4095]).toBe(slot)
    expect(store.byteLength).toBe(150 * 4096)
  })

  it('of less than a page has no slot', () => {
    for (const storeBytes of [0, 4095]) {
      const store = new ContentStore(storeBytes, 4096)
      expect([store.slotCount, store.get(0), store.byteLength]).toEqual([0, undefined, 0])
    }
  })
})
