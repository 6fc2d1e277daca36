import { PageBitmap } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteMapTracker, markDirty } from './byte-map-tracker.ts'

const action = fc.oneof(
  fc.record({ name: fc.constant('mark' as const), page: fc.nat(99) }),
  fc.record({ name: fc.constant('collect' as const), first: fc.nat(99), count: fc.nat(120) }),
  fc.record({ name: fc.constant('reset' as const) }),
)

describe('ByteMapTracker, as a set of pages', () => {
  it('reports what was marked in the range, whatever the size and the alignment', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.nat(7),
        fc.array(action, { maxLength: 60 }),
        (pageCount, offset, actions) => {
          const buffer = new SharedArrayBuffer(offset + pageCount + 3)
          const around = new Uint8Array(buffer).fill(1)
          const map = new Uint8Array(buffer, offset, pageCount).fill(0)
          const tracker = new ByteMapTracker({ map, pageCount })
          const model = new Set<number>()
          const found: [number, Uint32Array][] = []
          const wanted: [number, Uint32Array][] = []
          for (const step of actions) {
            if (step.name === 'reset') {
              tracker.reset()
              model.clear()
            } else if (step.name === 'mark') {
              markDirty(map, step.page % pageCount)
              model.add(step.page % pageCount)
            } else {
              const inRange = [...model].filter(
                (page) => page >= step.first && page < step.first + step.count,
              )
              const dirty = new PageBitmap(pageCount)
              found.push([tracker.collect(step.first, step.count, dirty), dirty.words])
              const expected = new PageBitmap(pageCount)
              for (const page of inRange) {
                expected.add(page)
                model.delete(page)
              }
              wanted.push([inRange.length, expected.words])
            }
          }
          expect(found).toEqual(wanted)
          // Neighbours of the map were not taken for marks.
          const outside = [...around.subarray(0, offset), ...around.subarray(offset + pageCount)]
          expect(outside.every((byte) => byte === 1)).toBe(true)
        },
      ),
    )
  })
})
