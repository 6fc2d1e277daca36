/**
 * What every demand pager must do; a test file registers it once per pager.
 *
 * @module
 */
import { describe, expect, test } from 'vitest'
import { PagedGuest, type PagerSetup } from './paged-guest.ts'

export { PagedGuest, type PagedMemory, type PagerRig, type PagerSetup } from './paged-guest.ts'

export interface PagerComplianceOptions {
  /** Why the pager cannot work here: the tests are skipped, with this in their name. */
  readonly impossible?: string | undefined
}

/** What a guest goes through; it throws where something is not as it must be. */
interface Scenario {
  readonly name: string
  /** In pages and bytes beyond them, per region. */
  readonly regions: readonly (readonly [pages: number, bytes: number])[]
  /** Pages that are not discarded, as `region:page`. */
  readonly kept?: readonly string[]
  readonly play: (guest: PagedGuest) => Promise<void>
}

/** Registers the suite under `name`; `setup` runs before each test. */
export function pagerCompliance(
  name: string,
  setup: PagerSetup,
  { impossible }: PagerComplianceOptions = {},
): void {
  const reason = impossible === undefined ? '' : ` (${impossible})`
  describe.skipIf(impossible !== undefined)(`pager compliance: ${name}${reason}`, () => {
    describe.each([4096, 16384])('pages of %i bytes', (pageBytes) => {
      test.each(scenarios.map((one) => [one.name, one] as const))('%s', async (_, scenario) => {
        await expect(playScenario(setup, scenario, pageBytes)).resolves.toBeUndefined()
      })
    })
  })
}

/** For pagers that are known to be wrong: whether they pass the test that finds it. */
export async function passesScenario(
  setup: PagerSetup,
  name: string,
  patienceMs: number,
): Promise<boolean> {
  const scenario = scenarios.find((one) => one.name === name)
  if (scenario === undefined) throw new Error(`no scenario "${name}"`)
  return playScenario(setup, scenario, 4096, patienceMs).then(
    () => true,
    () => false,
  )
}

async function playScenario(
  setup: PagerSetup,
  { regions, kept = [], play }: Scenario,
  pageBytes: number,
  patienceMs?: number,
): Promise<void> {
  const byteLengths = regions.map(([pages, bytes]) => pages * pageBytes + bytes)
  const options = patienceMs === undefined ? { kept } : { kept, patienceMs }
  const guest = await PagedGuest.create(setup, { pageBytes, byteLengths }, options)
  try {
    await play(guest)
  } finally {
    await guest.end()
  }
}

const range = (count: number): number[] => [...Array(count).keys()]

const byNumber = (a: readonly number[], b: readonly number[]): number =>
  a[0]! - b[0]! || a[1]! - b[1]!

const waiting: readonly Scenario[] = [
  {
    name: 'a thread waits for its page, and finds what was brought',
    regions: [[4, 0]],
    play: async (guest) => {
      const visitor = guest.visit(0, [2, 0])
      await guest.until(() => guest.heard.length === 1)
      const startMs = performance.now()
      await guest.turns()
      const tookMs = performance.now() - startMs
      expect([guest.heard, visitor.visited]).toEqual([[[0, 2]], 0])
      guest.place(0, 2)
      await guest.until(() => guest.heard.length === 2)
      expect(visitor.visited).toBe(1)
      guest.place(0, 0)
      await guest.ended()
      expect([visitor.visited, visitor.wrongBytes, visitor.failures]).toEqual([2, 0, []])
      const { count, maxUs, blockedMs } = guest.rig.pager.faults
      expect(count).toBe(2)
      expect(maxUs / 1e3).toBeGreaterThan(tookMs)
      expect(blockedMs).toBeGreaterThan(tookMs)
    },
  },
  {
    name: 'stores wait as loads do, and are not lost',
    regions: [[30, 0]],
    play: async (guest) => {
      guest.isServing = true
      const visitor = guest.visit(0, range(30), true)
      await guest.ended()
      expect([visitor.visited, visitor.wrongBytes]).toEqual([30, 0])
      const bytes = guest.rig.memory[0]!
      const last = range(30).map((page) => bytes[(page + 1) * guest.pageBytes - 1])
      expect(last).toEqual(Array(30).fill(99))
      expect(guest.heard).toEqual(range(30).map((page) => [0, page]))
    },
  },
  {
    name: 'threads that wait for the same page ask for it once, and all go on',
    regions: [[3, 0]],
    play: async (guest) => {
      const visitors = [1, 2, 3].map(() => guest.visit(0, [1, 2]))
      await guest.until(() => guest.heard.length > 0)
      await guest.turns()
      expect(guest.heard).toEqual([[0, 1]])
      guest.place(0, 1)
      await guest.until(() => guest.heard.length > 1)
      await guest.turns()
      expect(guest.heard).toEqual([
        [0, 1],
        [0, 2],
      ])
      guest.place(0, 2)
      await guest.ended()
      expect(visitors.map(({ visited }) => visited)).toEqual([2, 2, 2])
      expect(visitors.map(({ wrongBytes }) => wrongBytes)).toEqual([0, 0, 0])
    },
  },
]

const manyThreads: readonly Scenario[] = [
  {
    name: 'every page is asked for once when many threads want all',
    regions: [
      [1, 0],
      [200, 0],
    ],
    play: async (guest) => {
      guest.isServing = true
      const pages = range(200)
      const orders = [
        pages,
        pages.toReversed(),
        pages.map((page) => (page * 7) % 200),
        pages.map((page) => (page * 113 + 50) % 200),
      ]
      const visitors = orders.map((order) => guest.visit(1, order))
      await guest.ended()
      expect(visitors.map(({ visited }) => visited)).toEqual(Array(4).fill(200))
      expect(visitors.map(({ wrongBytes }) => wrongBytes)).toEqual([0, 0, 0, 0])
      expect(guest.heard.toSorted(byNumber)).toEqual(pages.map((page) => [1, page]))
      expect(guest.rig.pager.faults.count).toBeGreaterThanOrEqual(200)
    },
  },
  {
    name: 'a thread asks in its order, and waits for no other thread',
    regions: Array(4).fill([100, 0]),
    play: async (guest) => {
      const orders = [7, 11, 13, 17].map((step) => range(100).map((page) => (page * step) % 100))
      const visitors = orders.map((order, region) => guest.visit(region, order))
      // Three regions get their pages when they are asked for; the last one does not.
      const served = visitors.slice(0, 3)
      let next = 0
      await guest.until(() => {
        for (; next < guest.heard.length; next++) {
          const [region, page] = guest.heard[next]!
          if (region < 3) guest.place(region, page)
        }
        return served.every(({ hasEnded }) => hasEnded)
      })
      expect(visitors[3]!.visited).toBe(0)
      guest.isServing = true
      for (const [region, page] of guest.heard) guest.place(region, page)
      await guest.ended()
      orders.forEach((order, region) => {
        const heard = guest.heard.filter(([one]) => one === region).map(([, page]) => page)
        expect(heard).toEqual(order)
      })
      expect(visitors.map(({ wrongBytes }) => wrongBytes)).toEqual([0, 0, 0, 0])
    },
  },
]

const whichPages: readonly Scenario[] = [
  {
    name: 'the first and the last page of a region are its own, however short it is',
    regions: [
      [2, 100],
      [3, 0],
      [0, 1],
    ],
    play: async (guest) => {
      guest.isServing = true
      const visits = [
        [0, 2],
        [1, 0],
        [1, 2],
        [0, 0],
        [2, 0],
      ] as const
      const around = guest.rig.memory[0]!.buffer
      const visitor = guest.send(
        visits.map(([region, page]) => [region, page, guest.contentOf(region, page)]),
      )
      await guest.ended()
      expect([visitor.visited, visitor.wrongBytes]).toEqual([5, 0])
      expect(guest.heard).toEqual(visits)
      const end = guest.rig.memory[0]!.byteOffset + guest.rig.memory[0]!.length
      const behind = new Uint8Array(around, end).subarray(0, 100)
      expect(behind.every((byte) => byte === 0)).toBe(true)
    },
  },
  {
    name: 'pages that come unasked are not asked for',
    regions: [[40, 0]],
    play: async (guest) => {
      for (let page = 0; page < 40; page += 2) guest.place(0, page)
      guest.isServing = true
      const visitors = [guest.visit(0, range(40)), guest.visit(0, range(40).toReversed())]
      await guest.ended()
      expect(visitors.map(({ wrongBytes }) => wrongBytes)).toEqual([0, 0])
      expect(guest.heard.every(([, page]) => page % 2 === 1)).toBe(true)
      expect(guest.heard.length).toBe(20)
    },
  },
  {
    name: 'zero pages are brought as such, and are no less waited for',
    regions: [[10, 50]],
    play: async (guest) => {
      guest.clear(0, 0, 4)
      const visitor = guest.send([5, 10, 1].map((page) => [0, page, 0]))
      await guest.until(() => guest.heard.length === 1)
      guest.clear(0, 4, 7)
      await guest.until(() => guest.heard.length === 2)
      guest.clear(0, 7, 11)
      await guest.ended()
      expect([visitor.visited, visitor.wrongBytes]).toEqual([3, 0])
      expect(guest.heard).toEqual([
        [0, 5],
        [0, 10],
      ])
    },
  },
  {
    name: 'pages that were not discarded are there, also where nobody ever touched them',
    regions: [[8, 0]],
    kept: ['0:2', '0:7'],
    play: async (guest) => {
      guest.isServing = true
      const visitor = guest.send([
        [0, 2, 0],
        [0, 7, 0],
        [0, 6, guest.contentOf(0, 6)],
      ])
      await guest.ended()
      expect([visitor.visited, visitor.wrongBytes]).toEqual([3, 0])
      expect(guest.heard).toEqual([[0, 6]])
    },
  },
]

const atTheEnd: readonly Scenario[] = [
  {
    name: 'once all pages are there, it is closed, and memory is memory',
    regions: [
      [20, 10],
      [5, 0],
    ],
    play: async (guest) => {
      guest.isServing = true
      const early = guest.visit(0, [4, 9])
      await guest.ended([early])
      guest.placeAll()
      guest.rig.pager.close()
      guest.rig.pager.close()
      guest.rig.pager.abandon()
      const late = [guest.visit(0, range(21)), guest.visit(1, range(5), true)]
      await guest.ended()
      expect(late.map(({ visited }) => visited)).toEqual([21, 5])
      expect(late.map(({ wrongBytes }) => wrongBytes)).toEqual([0, 0])
      expect(guest.heard.length).toBe(2)
    },
  },
]

const scenarios: readonly Scenario[] = [...waiting, ...manyThreads, ...whichPages, ...atTheEnd]
