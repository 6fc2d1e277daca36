/**
 * What every dirty tracker must do; a test file registers it once per tracker.
 *
 * @module
 */
import { PageBitmap } from '@godwit/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { seededRandom } from './random.ts'
import { StoreMemory, storeKinds } from './store-kinds.ts'
import { TrackedCopy, type TrackerSetup } from './tracked-copy.ts'
import { type StressOptions, stressTracker } from './tracker-stress.ts'

export type { RegionToTrack, TrackedRegion, TrackerSetup } from './tracked-copy.ts'
export { type StressOptions, type StressResult, stressTracker } from './tracker-stress.ts'

/** How the suite runs. */
export interface ComplianceOptions extends StressOptions {
  /** Why the tracker cannot work here: the tests are skipped, with this in their name. */
  readonly impossible?: string | undefined
}

/** Registers the suite under `name`; `setup` runs before each test. */
export function trackerCompliance(
  name: string,
  setup: TrackerSetup,
  { impossible, ...stress }: ComplianceOptions = {},
): void {
  const reason = impossible === undefined ? '' : ` (${impossible})`
  describe.skipIf(impossible !== undefined)(`tracker compliance: ${name}${reason}`, () => {
    describe.each([4096, 16384])('pages of %i bytes', (pageBytes) => {
      let copy: TrackedCopy
      beforeEach(async () => {
        copy = await TrackedCopy.create(setup, pageBytes, 40)
      })
      afterEach(() => copy.tracked.close?.())
      registerContract(() => copy)
      registerRanges(() => copy)
      registerStores(() => copy)
      test('loses no store of threads that store all the time', async () => {
        const pageCount = 2 ** 20 / pageBytes
        const result = await stressTracker(setup, { pageBytes, pageCount, ...stress })
        expect(result.lost).toEqual([])
        // The test was one.
        expect(result.rounds).toBeGreaterThan(50)
        expect(result.stores).toBeGreaterThan(10_000)
      })
    })
  })
}

function registerContract(copyOf: () => TrackedCopy): void {
  test('nothing is dirty at first, nor after loads of everything', () => {
    const copy = copyOf()
    expect(copy.collect()).toEqual([])
    expect(copy.bytes.reduce((sum, byte) => sum + byte, 0)).toBeGreaterThan(0)
    expect(copy.collect()).toEqual([])
  })

  test('a page is found once, and again after the next store to it', () => {
    const copy = copyOf()
    for (let value = 1; value < 4; value++) {
      copy.storeByte(7, value)
      copy.storeByte(7, value + 100)
      expect(copy.collect()).toEqual([7])
      expect(copy.collect()).toEqual([])
    }
  })

  test('reset() forgets everything', () => {
    const copy = copyOf()
    for (const page of [0, 9, 39]) copy.storeByte(page, 1)
    copy.restart()
    expect(copy.collect()).toEqual([])
    copy.storeByte(9, 2)
    expect(copy.collect()).toEqual([9])
  })
}

function registerRanges(copyOf: () => TrackedCopy): void {
  test('only the pages asked for are reported and cleared', () => {
    const copy = copyOf()
    for (const page of [1, 4, 5, 6, 39]) copy.storeByte(page, 1)
    expect(copy.collect(4, 1)).toEqual([4])
    expect(copy.collect(2, 3)).toEqual([])
    expect(copy.collect(0, 4)).toEqual([1])
    expect(copy.collect(10, 1000)).toEqual([39])
    expect(copy.collect(0, 40)).toEqual([5, 6])
    expect(copy.collect(0, 0)).toEqual([])
  })

  test('what others found stays in the set, and is not counted', () => {
    const copy = copyOf()
    const dirty = new PageBitmap(copy.pageCount)
    dirty.add(3)
    for (const page of [8, 9]) copy.storeByte(page, 1)
    expect(copy.tracked.tracker.collect(0, 40, dirty)).toBe(2)
    expect([dirty.has(3), dirty.has(8), dirty.has(9), dirty.size]).toEqual([true, true, true, 3])
  })

  test('the first and the last byte of a page, and of the region, belong to it', () => {
    const copy = copyOf()
    for (const page of [0, 20, 39]) {
      for (const at of copy.endsOf(page)) {
        copy.store(at, 1, () => copy.bytes[at]!++)
        expect(copy.collect()).toEqual([page])
      }
    }
  })

  test('stores around the region are not its own', () => {
    const copy = copyOf()
    const around = new Uint8Array(copy.memory.buffer)
    around[copy.bytes.byteOffset - 1] = 1
    around[around.length - 1] = 1
    expect(copy.collect()).toEqual([])
  })

  test('random stores, many rounds: exactly the pages stored to', () => {
    const copy = copyOf()
    const next = seededRandom(copy.pageBytes)
    for (let round = 1; round <= 200; round++) {
      const wanted = new Set(Array.from({ length: next(12) }, () => next(40)))
      for (const page of wanted) copy.storeByte(page, round)
      expect(copy.collect()).toEqual([...wanted].sort((a, b) => a - b))
    }
    expect(copy.lost()).toEqual([])
  })
}

function registerStores(copyOf: () => TrackedCopy): void {
  test.each(storeKinds)('%s is found', (_, lengthBytes, store) => {
    const copy = copyOf()
    const memory = new StoreMemory(copy.memory)
    const origin = copy.bytes.byteOffset
    // 520: in every page, and no multiple of 16.
    let value = 3
    for (const page of [0, 17, 39, 17]) {
      value += 7
      const at = page * copy.pageBytes + 520
      copy.store(at, lengthBytes, () => store(memory, origin + at, value))
      expect(copy.collect()).toEqual([page])
      expect(copy.collect()).toEqual([])
    }
    expect(copy.lost()).toEqual([])
    if (lengthBytes <= 8) return
    const at = 6 * copy.pageBytes - lengthBytes / 2
    copy.store(at, lengthBytes, () => store(memory, origin + at, 9))
    expect(copy.collect()).toEqual([5, 6])
  })
}
