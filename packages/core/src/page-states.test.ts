import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { PageStates } from './page-states.ts'

/** Words of `control`, which a thread shares with the test. */
const names = { abandoned: 0, looks: 1, holdLook: 2, holdAsk: 3, held: 4, go: 5 } as const

/**
 * Waits for pages, one after the other, and posts what came of each. Where it is told to, it stands
 * still in `ask` or `isAbandoned`, which is right before it falls asleep.
 */
const waiterSource = `
const { parentPort, workerData } = require('node:worker_threads')
const { url, words, pages, asks, control, names } = workerData
const hold = (name) => {
  if (Atomics.exchange(control, name, 0) === 0) return
  Atomics.store(control, names.held, 1)
  Atomics.wait(control, names.go, 0)
}
import(url).then(({ PageStates }) => {
  const states = new PageStates(words)
  for (const page of pages) {
    const ask = () => {
      Atomics.add(asks, page, 1)
      hold(names.holdAsk)
    }
    const isAbandoned = () => {
      const isIt = Atomics.load(control, names.abandoned) === 1
      Atomics.add(control, names.looks, 1)
      hold(names.holdLook)
      return isIt
    }
    const came = states.wait(page, ask, isAbandoned)
    parentPort.postMessage([page, came])
  }
})
`

/** Claims all pages that it gets, once told to go, and says how many. */
const claimerSource = `
const { parentPort, workerData } = require('node:worker_threads')
const { url, words, claims, gate } = workerData
import(url).then(({ PageStates }) => {
  const states = new PageStates(words)
  Atomics.add(gate, 0, 1)
  Atomics.wait(gate, 1, 0)
  for (let page = 0; page < words.length; page++) {
    if (states.claim(page)) Atomics.add(claims, page, 1)
  }
})
`

const url = new URL('./page-states.ts', import.meta.url).href
const workers: Worker[] = []
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()))
})

function start(source: string, workerData: object): Worker {
  const worker = new Worker(source, { eval: true, workerData: { url, ...workerData } })
  workers.push(worker)
  return worker
}

function sharedWords(length: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(length * 4))
}

function missingPages(pageCount: number): PageStates {
  const states = PageStates.shared(pageCount)
  states.discard(0, pageCount)
  return states
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await setImmediate()
}

/** For what must not happen to have had its chance. */
async function turns(): Promise<void> {
  for (let i = 0; i < 50; i++) await setImmediate()
}

/** A thread that waits for pages. */
class Waiter {
  /** Pages it no longer waits for, and whether they came. */
  readonly results: [number, boolean][] = []
  readonly control: Int32Array = sharedWords(6)
  readonly ended: Promise<unknown>

  constructor(
    states: PageStates,
    pages: readonly number[],
    asks: Int32Array,
    hold?: 'look' | 'ask',
  ) {
    if (hold === 'look') this.control[names.holdLook] = 1
    if (hold === 'ask') this.control[names.holdAsk] = 1
    const { control } = this
    const worker = start(waiterSource, { words: states.words, pages, asks, control, names })
    worker.on('message', (result: [number, boolean]) => this.results.push(result))
    this.ended = once(worker, 'exit')
  }

  /** How often it looked whether it was abandoned: once before each time it falls asleep. */
  get looks(): number {
    return Atomics.load(this.control, names.looks)
  }

  async looked(times = 1): Promise<void> {
    await until(() => this.looks >= times)
  }

  /** Resolves when it stands still where it was told to. */
  async held(): Promise<void> {
    await until(() => Atomics.load(this.control, names.held) === 1)
  }

  letGo(): void {
    Atomics.store(this.control, names.go, 1)
    Atomics.notify(this.control, names.go)
  }

  abandon(): void {
    Atomics.store(this.control, names.abandoned, 1)
  }
}

describe('PageStates', () => {
  it('has all pages at first, then all but those that are discarded', () => {
    const states = PageStates.shared(6)
    const present = (): number[] => [...Array(6).keys()].filter((page) => states.isPresent(page))
    expect(states.words.buffer).toBeInstanceOf(SharedArrayBuffer)
    expect(present()).toEqual([0, 1, 2, 3, 4, 5])
    states.discard(2, 5)
    expect(present()).toEqual([0, 1, 5])
    expect(states.claim(3)).toBe(true)
    expect(present()).toEqual([0, 1, 5])
    states.arrived(3)
    expect(present()).toEqual([0, 1, 3, 5])
  })

  it('tells which pages are arriving: those that were claimed, until they are there', () => {
    const states = PageStates.shared(3)
    states.discard(1, 3)
    states.claim(2)
    const arriving = (): boolean[] => [0, 1, 2].map((page) => states.isArriving(page))
    expect(arriving()).toEqual([false, false, true])
    states.arrived(2)
    expect(arriving()).toEqual([false, false, false])
  })

  it('lets a page be claimed once, and only while it is missing', () => {
    const states = PageStates.shared(2)
    expect(states.claim(0)).toBe(false)
    states.discard(0, 1)
    expect([states.claim(0), states.claim(0), states.claim(1)]).toEqual([true, false, false])
    states.arrived(0)
    expect(states.claim(0)).toBe(false)
    states.discard(0, 1)
    states.wakeAll()
    expect([states.claim(0), states.claim(0)]).toEqual([true, false])
  })

  it('notes who waits elsewhere: once, and not where the page is there or about to be', () => {
    const states = PageStates.shared(3)
    states.discard(1, 3)
    expect(states.claim(2)).toBe(true)
    const asked = (): boolean[] => [0, 1, 2].map((page) => states.request(page))
    expect(asked()).toEqual([false, true, false])
    expect(asked()).toEqual([false, false, false])
    expect([states.claim(1), states.claim(2)]).toEqual([true, false])
  })

  it('wakes nobody for pages that are waited for elsewhere: that could block', () => {
    const states = missingPages(2)
    const notify = vi.spyOn(Atomics, 'notify')
    states.request(0)
    for (const page of [0, 1]) states.arrived(page)
    expect(notify).not.toHaveBeenCalled()
    notify.mockRestore()
    expect([0, 1].every((page) => states.isPresent(page))).toBe(true)
  })

  it('does not wait for a page that is there, even when all is given up', () => {
    const states = PageStates.shared(1)
    const never = (): never => {
      throw new Error('asked')
    }
    expect(states.wait(0, never, never)).toBe(true)
    states.discard(0, 1)
    states.arrived(0)
    states.wakeAll()
    expect(states.wait(0, never, never)).toBe(true)
  })

  it('gives each page to one of many threads', async () => {
    const states = missingPages(100_000)
    const claims = sharedWords(100_000)
    const gate = sharedWords(2)
    const claimers = [1, 2, 3].map(() => {
      return start(claimerSource, { words: states.words, claims, gate })
    })
    const ended = Promise.all(claimers.map((claimer) => once(claimer, 'exit')))
    await until(() => Atomics.load(gate, 0) === claimers.length)
    Atomics.store(gate, 1, 1)
    Atomics.notify(gate, 1)
    await ended
    expect(claims.every((count) => count === 1)).toBe(true)
  })
})

describe('PageStates, threads that wait', () => {
  it('wakes all that wait for the same page, of which one asks', async () => {
    const states = missingPages(2)
    const asks = sharedWords(2)
    const waiters = [1, 2, 3].map(() => new Waiter(states, [1], asks))
    await Promise.all(waiters.map((waiter) => waiter.looked()))
    await turns()
    expect([...asks]).toEqual([0, 1])
    expect(waiters.flatMap(({ results }) => results)).toEqual([])
    states.arrived(1)
    await Promise.all(waiters.map(({ ended }) => ended))
    expect(waiters.map(({ results }) => results)).toEqual(Array(3).fill([[1, true]]))
    expect([...asks]).toEqual([0, 1])
  })

  it('wakes nobody but those who wait for the page that came', async () => {
    const states = missingPages(3)
    const asks = sharedWords(3)
    const waiters = [0, 1, 2].map((page) => new Waiter(states, [page], asks))
    await until(() => asks.every((count) => count === 1))
    for (const page of [2, 0, 1]) {
      await turns()
      expect(waiters[page]!.results).toEqual([])
      states.arrived(page)
      await waiters[page]!.ended
      expect(waiters[page]!.results).toEqual([[page, true]])
    }
    expect(waiters.map(({ looks }) => looks)).toEqual([1, 1, 1])
  })

  it('asks for nothing that is about to be installed', async () => {
    const states = missingPages(1)
    const asks = sharedWords(1)
    expect(states.claim(0)).toBe(true)
    const waiter = new Waiter(states, [0], asks)
    await waiter.looked()
    await turns()
    expect(waiter.results).toEqual([])
    states.arrived(0)
    await waiter.ended
    expect(waiter.results).toEqual([[0, true]])
    expect([...asks]).toEqual([0])
  })

  it.each(['look', 'ask'] as const)(
    'sleeps through no page that comes between its %s and its sleep',
    async (where) => {
      const states = missingPages(1)
      const asks = sharedWords(1)
      const waiter = new Waiter(states, [0], asks, where)
      await waiter.held()
      expect(states.claim(0)).toBe(true)
      states.arrived(0)
      waiter.letGo()
      await waiter.ended
      expect(waiter.results).toEqual([[0, true]])
    },
  )

  it.each(['look', 'ask'] as const)(
    'waits for a page that is claimed between its %s and its sleep',
    async (where) => {
      const states = missingPages(1)
      const asks = sharedWords(1)
      const waiter = new Waiter(states, [0], asks, where)
      await waiter.held()
      expect(states.claim(0)).toBe(true)
      waiter.letGo()
      // It was just about to sleep, and looks again since the page is another's now.
      await waiter.looked(2)
      await turns()
      expect(waiter.results).toEqual([])
      states.arrived(0)
      await waiter.ended
      expect(waiter.results).toEqual([[0, true]])
    },
  )

  it('serves several threads that want the same pages in different orders', async () => {
    const pageCount = 300
    const states = missingPages(pageCount)
    const asks = sharedWords(pageCount)
    const pages = [...Array(pageCount).keys()]
    const orders = [
      pages,
      pages.toReversed(),
      pages.map((page) => (page * 7) % pageCount),
      pages.map((page) => (page * 113 + 50) % pageCount),
    ]
    const waiters = orders.map((order) => new Waiter(states, order, asks))
    for (let left = pageCount; left > 0; await setImmediate()) {
      for (const page of pages) {
        if (Atomics.load(asks, page) === 0 || states.isPresent(page)) continue
        expect(states.claim(page)).toBe(true)
        states.arrived(page)
        left--
      }
    }
    await Promise.all(waiters.map(({ ended }) => ended))
    waiters.forEach(({ results }, i) => {
      expect(results).toEqual(orders[i]!.map((page) => [page, true]))
    })
    expect(asks.every((count) => count === 1)).toBe(true)
  })
})

describe('PageStates, given up', () => {
  it('ends all waits', async () => {
    const states = missingPages(2)
    const asks = sharedWords(2)
    expect(states.claim(1)).toBe(true)
    const waiters = [0, 0, 1].map((page) => new Waiter(states, [page], asks))
    await Promise.all(waiters.map((waiter) => waiter.looked()))
    for (const waiter of waiters) waiter.abandon()
    states.wakeAll()
    await Promise.all(waiters.map(({ ended }) => ended))
    expect(waiters.map(({ results }) => results)).toEqual([
      [[0, false]],
      [[0, false]],
      [[1, false]],
    ])
  })

  it.each([
    ['has looked, nobody having asked', 'look', false],
    ['has looked, and somebody has asked', 'look', true],
    ['has asked', 'ask', false],
  ] as const)('ends a thread that %s and does not sleep yet', async (_, where, isAsked) => {
    const states = missingPages(1)
    const asks = sharedWords(1)
    if (isAsked) {
      new Waiter(states, [0], asks)
      await until(() => asks[0] === 1)
    }
    const waiter = new Waiter(states, [0], asks, where)
    await waiter.held()
    waiter.abandon()
    states.wakeAll()
    states.wakeAll()
    waiter.letGo()
    await waiter.ended
    expect(waiter.results).toEqual([[0, false]])
  })

  it('has threads look, which wait on when they are not meant', async () => {
    const states = missingPages(1)
    const asks = sharedWords(1)
    const waiter = new Waiter(states, [0], asks)
    await until(() => asks[0] === 1)
    const { looks } = waiter
    states.wakeAll()
    await waiter.looked(looks + 1)
    await turns()
    expect(waiter.results).toEqual([])
    expect(states.claim(0)).toBe(true)
    states.arrived(0)
    await waiter.ended
    expect(waiter.results).toEqual([[0, true]])
    expect([...asks]).toEqual([1])
  })
})
