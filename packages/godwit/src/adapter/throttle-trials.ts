/**
 * Whether a guest can be slowed down.
 *
 * @module
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Trial } from './stand.ts'

/** Taken away, and what of the pace may be left of it on a machine that does other things, too. */
const share = 0.9
const slowedMax = 0.5
/** In turn with all of its time and without, so that what else the machine does is in both. */
const turns = 9
const turnMs = 80

export const throttleTrials: readonly Trial[] = [
  {
    name: 'throttle/slows',
    promise: 'throttle() takes time away, and throttle(0) gives all of it back.',
    async play(stand) {
      const { guest, progress } = await stand.start()
      if (guest.throttle === undefined) return 'it cannot be throttled'
      const pace = async (taken: number): Promise<number> => {
        guest.throttle!(taken)
        await sleep(20)
        const [from, atMs] = [progress(), performance.now()]
        await sleep(turnMs)
        return (progress() - from) / (performance.now() - atMs)
      }
      const left: number[] = []
      for (let one = 0; one < turns; one++) {
        const slowed = await pace(share)
        const free = await pace(0)
        left.push(free > 0 ? slowed / free : Infinity)
      }
      // The middle one: a machine that is busy for a while spoils a few.
      const middle = left.toSorted((a, b) => a - b)[(turns - 1) / 2]!
      const text = `without ${share} of its time it has ${middle} of the progress with it`
      assert.ok(middle < slowedMax, text)
      return undefined
    },
  },
  {
    name: 'throttle/paused',
    promise: 'A guest that is paused stays so, whatever is taken or given back.',
    async play(stand) {
      const { guest, progress } = await stand.startPaused()
      if (guest.throttle === undefined) return 'it cannot be throttled'
      guest.throttle(share)
      await stand.stands(guest.regions, progress, 'paused, then throttled')
      guest.throttle(0)
      await stand.stands(guest.regions, progress, 'paused, then given its time back')
      await guest.resume()
      await stand.goesOn(progress, 'it does not go on after resume()')
      return undefined
    },
  },
]
