/**
 * Whether marks of stores that somebody keeps tell of every store.
 *
 * @module
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { pagesCovering } from '@godwit/core'
import type { Trial } from './stand.ts'
import { copyOf } from './stand.ts'

/** Looks at them while the guest runs, and how long it does before each. */
const windows = 12
const windowMs = [0, 13] as const

export const marksTrials: readonly Trial[] = [
  {
    name: 'tracker/marks',
    promise: 'Pages stored to since marks.begin() are never told to be unmarked.',
    async play(stand) {
      const { guest, progress } = await stand.start()
      const { marks } = guest
      if (marks === undefined) return 'nobody marks its stores'
      if (marks.lacking !== undefined) return `its stores are not marked here: ${marks.lacking}`
      marks.begin()
      const before = copyOf(guest.regions)
      let changedPages = 0
      for (let window = 0; window < windows; window++) {
        await stand.goesOn(progress, 'it does not go on while its stores are marked')
        await sleep(windowMs[0] + ((window * 7) % (windowMs[1] - windowMs[0] + 1)))
        marks.findUnmarked(stand.pageBytes)
        await stand.within(guest.pause(), 'pause()')
        const unmarked = marks.findUnmarked(stand.pageBytes)
        if (unmarked === undefined) return `the marks were lost: ${marks.lost}`
        const pageCounts = guest.regions.map(({ bytes }) => {
          return pagesCovering(bytes.length, stand.pageBytes)
        })
        const told: readonly number[] = unmarked.map(({ pageCount }) => pageCount)
        assert.deepEqual(told, pageCounts, 'pages of each region')
        for (const [region, pages] of stand.differences(guest.regions, before).entries()) {
          changedPages += pages.length
          const missed: readonly number[] = pages.filter((page) => unmarked[region]!.has(page))
          assert.deepEqual(missed, [], `region ${region}: stored to, and told to be unmarked`)
        }
        await guest.resume()
      }
      assert.ok(changedPages > 0, 'the guest stored nothing: the suite cannot try its marks')
      return undefined
    },
  },
]
