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
const measureMs = 200
const attempts = 4

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
        await sleep(measureMs)
        return (progress() - from) / (performance.now() - atMs)
      }
      let paces: readonly number[] = []
      // Whatever else the machine does: one quiet moment is enough.
      for (let attempt = 0; attempt < attempts; attempt++) {
        paces = [await pace(0), await pace(share), await pace(0)]
        const [before, slowed, after] = paces as [number, number, number]
        if (slowed < slowedMax * before && slowed < slowedMax * after) return undefined
      }
      const text = paces.map((one) => one.toFixed(2)).join(', ')
      return assert.fail(`progress per ms with 0, ${share} and 0 taken away: ${text}`)
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
      guest.resume()
      await stand.goesOn(progress, 'it does not go on after resume()')
      return undefined
    },
  },
]
