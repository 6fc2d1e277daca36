/**
 * Adapters whose trackers break one promise each.
 *
 * @module
 */
import { PageBitmap, type StoreMarks } from '@godwit/core'
import type { Change, WrongAdapter } from './changes.ts'
import { guests, marksOf, losing, trackers } from './changes.ts'

export const wrongTrackers: readonly WrongAdapter[] = [
  ['tracker/shape', 'none for a region', guests(() => ({ trackers: [] }))],
  ['tracker/shape', 'ranges of no page', trackers(() => ({ collectPagesMax: 0 }))],
  [
    'tracker/shape',
    'pages behind the end',
    trackers(() => ({ collect: (first, count, into) => (into.add(first + count - 1), 1) })),
  ],
  ['tracker/finds-stores', 'a page is never reported', trackers(losing((page) => page === 77))],
  [
    'tracker/finds-stores',
    'one report in 500 is lost',
    trackers((tracker, guest) => {
      let count = 0
      return losing(() => ++count % 500 === 0)(tracker, guest)
    }),
  ],
  [
    'tracker/clears',
    'marks stay',
    trackers(() => ({ collect: (first, count, into) => (into.add(first), count && 1) })),
  ],
  [
    'tracker/quiet-in-pause',
    'marks come late',
    trackers(() => {
      const bornMs = performance.now()
      return {
        collect: (first, _count, into) => {
          if (performance.now() < bornMs) return 0
          into.add(first)
          return 1
        },
      }
    }),
  ],
  ['tracker/reset', 'it forgets nothing', trackers(() => ({ reset: () => {} }))],
  [
    'tracker/reset',
    'it is deaf afterwards',
    trackers((tracker) => {
      let isDeaf = false
      return {
        reset: () => void (isDeaf = true),
        collect: (first, count, into) => (isDeaf ? 0 : tracker.collect(first, count, into)),
      }
    }),
  ],
  [
    'tracker/ranges',
    'it counts what it did not add',
    trackers((tracker) => ({
      collect: (first, count, into) => tracker.collect(first, count, into) + 1,
    })),
  ],
  [
    'tracker/ranges',
    'it reports all pages whatever is asked',
    trackers((tracker) => ({
      collect: (_first, _count, into) => tracker.collect(0, into.pageCount, into),
    })),
  ],
  [
    'tracker/keeps-others',
    'a look at one page clears all',
    trackers((tracker) => ({
      collect(first, count, into) {
        const found = tracker.collect(first, count, into)
        tracker.reset()
        return found
      },
    })),
  ],
  [
    'tracker/races',
    'marks are cleared after collect() has returned',
    trackers((tracker) => ({
      collect(first, count, into) {
        const found = tracker.collect(first, count, into)
        setTimeout(() => tracker.collect(first, count, new PageBitmap(into.pageCount)), 0)
        return found
      },
    })),
  ],
  [
    'tracker/untouched',
    'pages that hold something',
    trackers(() => ({ addUntouched: (into) => into.addAll() })),
  ],
  ['tracker/marks', 'a page is never marked', marked((page) => page === 77)],
  [
    'tracker/marks',
    'a look clears them',
    guests((guest) => {
      const marks = marksOf(guest)
      const findUnmarked: StoreMarks['findUnmarked'] = (pageBytes) => {
        const found = marks.findUnmarked(pageBytes)
        marks.begin()
        return found
      }
      return { marks: { ...marks, findUnmarked } }
    }),
  ],
]

/** Marks that lack what `isLost` says. */
function marked(isLost: (page: number) => boolean): Change {
  return guests((guest) => {
    const marks = marksOf(guest)
    const findUnmarked: StoreMarks['findUnmarked'] = (pageBytes) => {
      const found = marks.findUnmarked(pageBytes)!
      for (const unmarked of found) {
        for (let page = 0; page < unmarked.pageCount; page++) if (isLost(page)) unmarked.add(page)
      }
      return found
    }
    return { marks: { ...marks, findUnmarked } }
  })
}
