/**
 * Whether trackers find every store.
 *
 * @module
 */
import assert from 'node:assert/strict'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import type { Guest } from '@godwit/core'
import { PageBitmap, pagesCovering } from '@godwit/core'
import type { Runner, Stand, Trial } from './stand.ts'
import { collect, collectAll, copyOf } from './stand.ts'

/** Windows between two pauses, and how long the shortest and the longest are. */
const windows = 24
const windowMs = [0, 13] as const
/** How long pages are collected and copied while the guest runs, each time, and how often. */
const raceMs = 60
const races = 5

export const trackerTrials: readonly Trial[] = [
  {
    name: 'tracker/shape',
    promise: 'There is a tracker for each region; it takes ranges of a page or more.',
    play: tracking(async (stand, { guest }) => {
      const trackers = guest.trackers!
      assert.equal(trackers.length, guest.regions.length, 'one for each region is wanted')
      for (const { collectPagesMax } of trackers) {
        const isCount = Number.isInteger(collectPagesMax) && collectPagesMax >= 1
        assert.ok(isCount, `collectPagesMax ${collectPagesMax}`)
      }
      // Pages behind the end are none.
      await stand.within(guest.pause(), 'pause()')
      collectAll(stand, guest, 64)
    }),
  },
  {
    name: 'tracker/finds-stores',
    promise: 'Every page stored to since the last look is reported, however long that was ago.',
    play: tracking(async (stand, { guest, progress }) => {
      await stand.within(guest.pause(), 'pause()')
      for (const tracker of guest.trackers!) tracker.reset()
      let changedPages = 0
      for (let window = 0; window < windows; window++) {
        const before = copyOf(guest.regions)
        await guest.resume()
        await stand.goesOn(progress, 'it does not go on after resume()')
        await sleep(windowMs[0] + ((window * 7) % (windowMs[1] - windowMs[0] + 1)))
        await stand.within(guest.pause(), 'pause()')
        const found = collectAll(stand, guest)
        for (const [region, pages] of stand.differences(guest.regions, before).entries()) {
          changedPages += pages.length
          const missed = pages.filter((page) => !found[region]!.has(page))
          assert.deepEqual(missed, [], `region ${region}: stored to, and not reported`)
        }
      }
      assert.ok(changedPages > 0, 'the guest stored nothing: the suite cannot try its trackers')
    }),
  },
  {
    name: 'tracker/clears',
    promise: 'What was collected is not reported again before it is stored to again.',
    play: tracking(async (stand, { guest }) => {
      await stand.within(guest.pause(), 'pause()')
      const first = collectAll(stand, guest)
      assert.ok(sizeOf(first) > 0, 'it ran, and no store was reported')
      assert.equal(sizeOf(collectAll(stand, guest)), 0, 'pages are reported twice')
    }),
  },
  {
    name: 'tracker/quiet-in-pause',
    promise: 'Nothing becomes dirty while the guest is paused.',
    play: tracking(async (stand, { guest }) => {
      await stand.within(guest.pause(), 'pause()')
      for (const tracker of guest.trackers!) tracker.reset()
      await sleep(30)
      assert.equal(sizeOf(collectAll(stand, guest)), 0, 'pages became dirty in a pause')
    }),
  },
  {
    name: 'tracker/reset',
    promise: 'reset() forgets what was stored before, and nothing that is stored after.',
    play: tracking(async (stand, { guest, progress }) => {
      await stand.within(guest.pause(), 'pause()')
      for (const tracker of guest.trackers!) tracker.reset()
      assert.equal(sizeOf(collectAll(stand, guest)), 0, 'stores before reset() are reported')
      for (const tracker of guest.trackers!) tracker.reset()
      await guest.resume()
      await stand.goesOn(progress, 'it does not go on after resume()')
      if (guest.nextRound !== undefined) {
        // What it stores is told of in a migration only, which begins while it runs.
        for (const tracker of guest.trackers!) tracker.reset()
      }
      const found = (): number => sizeOf(collectAll(stand, guest))
      await stand.goesOn(found, 'no store is reported after reset()', 0)
    }),
  },
  {
    name: 'tracker/ranges',
    promise: 'collect() reports and clears what it was asked for, and counts what it added.',
    play: tracking(async (stand, { guest }) => {
      await stand.within(guest.pause(), 'pause()')
      for (const [region, tracker] of guest.trackers!.entries()) {
        const pageCount = pagesCovering(guest.regions[region]!.bytes.length, stand.pageBytes)
        const rest = new PageBitmap(pageCount)
        for (const [from, to] of [[0, 0], ...thirds(pageCount)] as const) {
          const found = new PageBitmap(pageCount)
          const count = collect(tracker, found, from, to)
          assert.equal(count, found.size, 'it counts other pages than it adds')
          const first = found.nextSet(0)
          const isInside = found.size === 0 || (first >= from && found.lastSet(pageCount) < to)
          assert.ok(isInside, `asked for pages ${from} to ${to - 1}, told of others`)
          assert.equal(collect(tracker, found, from, to), 0, 'they are told twice')
          assert.equal(found.size, count, 'what was in the set does not stay')
          rest.addOthers(found)
        }
        assert.equal(collect(tracker, rest, 0, pageCount), 0, 'some were in no range')
      }
    }),
  },
  {
    name: 'tracker/keeps-others',
    promise: 'A look at some pages leaves the marks of others.',
    play: tracking(async (stand, { guest, progress }) => {
      await stand.within(guest.pause(), 'pause()')
      for (const tracker of guest.trackers!) tracker.reset()
      const before = copyOf(guest.regions)
      await guest.resume()
      await stand.goesOn(progress, 'it does not go on after resume()')
      await sleep(5)
      await stand.within(guest.pause(), 'pause()')
      for (const [region, pages] of stand.differences(guest.regions, before).entries()) {
        const tracker = guest.trackers![region]!
        const found = new PageBitmap(pagesCovering(before[region]!.length, stand.pageBytes))
        // One page at a time, from the last one.
        for (const page of pages.toReversed()) {
          tracker.collect(page, 1, found)
          assert.ok(found.has(page), `page ${page} of region ${region} was forgotten`)
        }
      }
    }),
  },
  {
    name: 'tracker/races',
    promise: 'A mark is cleared before collect() returns: stores while it looks are found later.',
    play: tracking(async (stand, { guest }) => {
      await stand.within(guest.pause(), 'pause()')
      for (const tracker of guest.trackers!) tracker.reset()
      const copy = copyOf(guest.regions)
      for (let race = 0; race < races; race++) {
        await guest.resume()
        const end = performance.now() + raceMs
        while (performance.now() < end) {
          copyDirty(stand, guest, copy)
          await turn()
        }
        await stand.within(guest.pause(), 'pause()')
        copyDirty(stand, guest, copy)
        stand.sameMemory(guest.regions, copy, 'copied by what was collected, while it ran')
      }
    }),
  },
  {
    name: 'tracker/untouched',
    promise: 'Pages told to be untouched hold zero bytes.',
    play: tracking(async (stand, { guest }) => {
      await stand.within(guest.pause(), 'pause()')
      if (guest.trackers!.every((tracker) => tracker.addUntouched === undefined)) {
        return 'its trackers do not tell'
      }
      for (const [region, tracker] of guest.trackers!.entries()) {
        const { bytes } = guest.regions[region]!
        const pages = new PageBitmap(pagesCovering(bytes.length, stand.pageBytes))
        tracker.reset()
        tracker.addUntouched?.(pages)
        for (let page = pages.nextSet(0); page < pages.pageCount; page = pages.nextSet(page + 1)) {
          const start = page * stand.pageBytes
          const isZero = bytes.subarray(start, start + stand.pageBytes).every((byte) => byte === 0)
          assert.ok(isZero, `page ${page} of region ${region} is not zero`)
        }
      }
      return undefined
    }),
  },
]

/** For guests with trackers that store. */
function tracking(
  play: (stand: Stand, runner: Runner) => Promise<string | void>,
): (stand: Stand) => Promise<string | void> {
  return async (stand) => {
    if (stand.adapter.isReadOnly === true) return 'it stores nothing'
    const runner = await stand.start()
    if (runner.guest.trackers === undefined) return 'its stores are found by scanning'
    return play(stand, runner)
  }
}

/** A few pages, the rest of the first half, the second half. */
function thirds(pageCount: number): readonly (readonly [number, number])[] {
  const [first, second] = [Math.min(3, pageCount), Math.ceil(pageCount / 2)]
  return [
    [0, first],
    [first, Math.max(first, second)],
    [Math.max(first, second), pageCount],
  ]
}

function copyDirty(stand: Stand, guest: Guest, copy: readonly Uint8Array[]): void {
  const { pageBytes } = stand
  for (const [region, found] of collectAll(stand, guest).entries()) {
    const { bytes } = guest.regions[region]!
    for (let page = found.nextSet(0); page < found.pageCount; page = found.nextSet(page + 1)) {
      const [start, end] = [page * pageBytes, Math.min(bytes.length, (page + 1) * pageBytes)]
      copy[region]!.set(bytes.subarray(start, end), start)
    }
  }
}

function sizeOf(sets: readonly PageBitmap[]): number {
  return sets.reduce((sum, { size }) => sum + size, 0)
}
