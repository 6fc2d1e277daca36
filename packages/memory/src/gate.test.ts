import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Gate, GatePager } from './gate.ts'

const pageBytes = 64
const queueSlots = 4096

/** What a page holds once it is there. */
const contentOf = (region: number, page: number): number => 1 + ((region * 31 + page * 7) % 255)

/**
 * Enters pages, one after the other, and adds up the wrong bytes that it finds. Words of `state`:
 * pages entered, wrong bytes.
 */
const visitorSource = `
const { parentPort, workerData } = require('node:worker_threads')
const { url, memory, gate, region, pages, state, pageBytes } = workerData
const contentOf = ${contentOf.toString()}
import(url).then(({ Gate }) => {
  const entry = new Gate(gate, () => {})
  for (const page of pages) {
    entry.enter(region, page)
    const expected = contentOf(region, page)
    const at = page * pageBytes
    const wrong = memory[region].subarray(at, at + pageBytes).filter((byte) => byte !== expected)
    Atomics.add(state, 1, wrong.length)
    Atomics.add(state, 0, 1)
  }
}).catch((error) => parentPort.postMessage(error.code))
`

const url = new URL('./gate.ts', import.meta.url).href
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()))
})

/** A thread of a guest. */
class Visitor {
  readonly state = new Int32Array(new SharedArrayBuffer(8))
  readonly ended: Promise<unknown>
  /** Codes of what it threw. */
  readonly failures: string[] = []

  constructor(guest: Guest, region: number, pages: readonly number[]) {
    const { memory, pager } = guest
    const { state } = this
    const workerData = { url, memory, gate: pager.memory, region, pages, state, pageBytes }
    const worker = new Worker(visitorSource, { eval: true, workerData })
    cleanups.push(() => worker.terminate())
    worker.on('message', (code: string) => this.failures.push(code))
    this.ended = once(worker, 'exit')
  }

  get entered(): number {
    return Atomics.load(this.state, 0)
  }

  get wrongBytes(): number {
    return Atomics.load(this.state, 1)
  }
}

/** Memory none of which is there. */
class Guest {
  readonly pager: GatePager
  readonly memory: readonly Uint8Array[]
  /** What the pager's listener heard. */
  readonly heard: [number, number][] = []
  readonly #untouched: number

  constructor(pageCounts: readonly number[]) {
    this.pager = new GatePager(pageCounts)
    cleanups.push(() => this.pager.abandon())
    this.memory = pageCounts.map((count) => {
      return new Uint8Array(new SharedArrayBuffer(count * pageBytes))
    })
    this.pager.states.forEach((states, i) => states.discard(0, pageCounts[i]!))
    this.#untouched = this.pager.states[0]!.words[0]!
  }

  install(region: number, page: number): void {
    const at = page * pageBytes
    this.memory[region]!.fill(contentOf(region, page), at, at + pageBytes)
    this.pager.states[region]!.arrived(page)
  }

  /** Whether some thread has come to a page that is not there. */
  isAwaited(region: number, page: number): boolean {
    return Atomics.load(this.pager.states[region]!.words, page) !== this.#untouched
  }

  /** Hears all, and installs at once. */
  serve(): void {
    this.pager.listen((region, page) => {
      this.heard.push([region, page])
      this.install(region, page)
    })
  }

  /** A thread whose pages all come when it waits for them, but whose requests nobody takes. */
  async fillQueue(more: number): Promise<Visitor> {
    const visitor = new Visitor(this, 0, range(queueSlots + more))
    for (let page = 0; page < queueSlots; page++) {
      await until(() => this.isAwaited(0, page))
      this.install(0, page)
    }
    await until(() => this.isAwaited(0, queueSlots))
    return visitor
  }
}

const range = (count: number): number[] => [...Array(count).keys()]

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await setImmediate()
}

/** For what must not happen to have had its chance. */
async function turns(): Promise<void> {
  for (let i = 0; i < 50; i++) await setImmediate()
}

const byNumber = (a: readonly number[], b: readonly number[]): number =>
  a[0]! - b[0]! || a[1]! - b[1]!

describe('Gate', () => {
  it('lets threads enter pages that are there, and asks nobody', async () => {
    const guest = new Guest([3, 2])
    guest.serve()
    for (const page of range(2)) guest.install(1, page)
    const visitor = new Visitor(guest, 1, [0, 1, 1, 0])
    await visitor.ended
    expect([visitor.entered, visitor.wrongBytes, visitor.failures]).toEqual([4, 0, []])
    expect(guest.heard).toEqual([])
    expect(guest.pager.faults.count).toBe(0)
  })

  it('holds a thread until its page is there, and tells how long that took', async () => {
    const guest = new Guest([4])
    guest.pager.listen((region, page) => guest.heard.push([region, page]))
    const visitor = new Visitor(guest, 0, [2, 0])
    await until(() => guest.heard.length === 1)
    const startMs = performance.now()
    await turns()
    const tookMs = performance.now() - startMs
    expect(guest.heard).toEqual([[0, 2]])
    expect(visitor.entered).toBe(0)
    guest.install(0, 2)
    await until(() => guest.heard.length === 2)
    expect(visitor.entered).toBe(1)
    guest.install(0, 0)
    await visitor.ended
    expect(guest.heard).toEqual([
      [0, 2],
      [0, 0],
    ])
    expect([visitor.entered, visitor.wrongBytes]).toEqual([2, 0])
    const { count, maxUs, blockedMs } = guest.pager.faults
    expect(count).toBe(2)
    expect(maxUs / 1e3).toBeGreaterThan(tookMs)
    expect(blockedMs).toBeGreaterThan(tookMs)
  })

  it('is no wait where a page that is being installed comes in a moment', () => {
    const guest = new Guest([2])
    guest.pager.states[0]!.claim(1)
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
      guest.install(0, 1)
      return 0
    })
    cleanups.push(() => clock.mockRestore())
    new Gate(guest.pager.memory, () => {}).enter(0, 1)
    expect(clock).toHaveBeenCalledOnce()
    expect(guest.pager.faults.count).toBe(0)
  })

  it('is a wait, but nobody is asked, where it takes longer', async () => {
    const guest = new Guest([2])
    guest.pager.listen((region, page) => guest.heard.push([region, page]))
    guest.pager.states[0]!.claim(1)
    const claimed = guest.pager.states[0]!.words[1]!
    const visitor = new Visitor(guest, 0, [1])
    await until(() => guest.pager.states[0]!.words[1] !== claimed)
    await turns()
    expect(visitor.entered).toBe(0)
    guest.install(0, 1)
    await visitor.ended
    expect([visitor.entered, visitor.wrongBytes, guest.heard]).toEqual([1, 0, []])
    expect(guest.pager.faults.count).toBe(1)
  })

  it('hears what was asked before it listened', async () => {
    const guest = new Guest([2])
    const visitor = new Visitor(guest, 0, [1, 0])
    await until(() => guest.isAwaited(0, 1))
    await turns()
    guest.serve()
    await visitor.ended
    expect(guest.heard).toEqual([
      [0, 1],
      [0, 0],
    ])
  })

  it('asks for each page once when many threads want it, and all see the right bytes', async () => {
    const pageCount = 400
    const guest = new Guest([1, pageCount])
    guest.serve()
    const pages = range(pageCount)
    const orders = [
      pages,
      pages.toReversed(),
      pages.map((page) => (page * 7) % pageCount),
      pages.map((page) => (page * 113 + 50) % pageCount),
    ]
    const visitors = orders.map((order) => new Visitor(guest, 1, order))
    await Promise.all(visitors.map(({ ended }) => ended))
    expect(visitors.map(({ entered }) => entered)).toEqual(Array(4).fill(pageCount))
    expect(visitors.map(({ wrongBytes }) => wrongBytes)).toEqual([0, 0, 0, 0])
    expect(guest.heard.toSorted(byNumber)).toEqual(pages.map((page) => [1, page]))
    expect(guest.pager.faults.count).toBeGreaterThanOrEqual(pageCount)
  })

  it('keeps the order in which a thread asks, and makes none wait for another', async () => {
    const pageCount = 300
    const guest = new Guest([pageCount, pageCount, pageCount, pageCount])
    const orders = [7, 11, 13, 17].map((step) => {
      return range(pageCount).map((page) => (page * step) % pageCount)
    })
    const visitors = orders.map((order, region) => new Visitor(guest, region, order))
    // Pages come unasked, so that many requests are under way; the last region's do not.
    for (let i = 0; i < pageCount / 2; i++) {
      for (const region of [0, 1, 2]) {
        await until(() => guest.isAwaited(region, orders[region]![i]!))
        guest.install(region, orders[region]![i]!)
      }
    }
    expect(visitors[3]!.entered).toBe(0)
    guest.serve()
    await Promise.all(visitors.map(({ ended }) => ended))
    orders.forEach((order, region) => {
      const heard = guest.heard.filter(([one]) => one === region).map(([, page]) => page)
      expect(heard).toEqual(order)
    })
    expect(visitors.map(({ wrongBytes }) => wrongBytes)).toEqual([0, 0, 0, 0])
  })
})

describe('GatePager, its queue', () => {
  it('goes round and round', async () => {
    const pageCount = 2 * queueSlots + 100
    const guest = new Guest([pageCount])
    guest.serve()
    const visitor = new Visitor(guest, 0, range(pageCount))
    await visitor.ended
    expect([visitor.entered, visitor.wrongBytes]).toEqual([pageCount, 0])
    expect(guest.heard).toEqual(range(pageCount).map((page) => [0, page]))
  })

  it('loses nothing when it is full: threads wait for a slot', async () => {
    const guest = new Guest([queueSlots + 50])
    const visitor = await guest.fillQueue(50)
    guest.install(0, queueSlots)
    await turns()
    expect(visitor.entered).toBe(queueSlots)
    guest.serve()
    await visitor.ended
    expect([visitor.entered, visitor.wrongBytes]).toEqual([queueSlots + 50, 0])
    expect(guest.heard).toEqual(range(queueSlots + 50).map((page) => [0, page]))
  })

  it('holds nobody who waits for a slot when it is closed', async () => {
    const guest = new Guest([queueSlots + 50])
    const visitor = await guest.fillQueue(50)
    for (let page = queueSlots; page < queueSlots + 50; page++) guest.install(0, page)
    guest.pager.close()
    await visitor.ended
    expect([visitor.entered, visitor.failures]).toEqual([queueSlots + 50, []])
  })

  it('ends who waits for a slot when the guest is given up', async () => {
    const guest = new Guest([queueSlots + 50])
    const visitor = await guest.fillQueue(50)
    guest.pager.abandon()
    await visitor.ended
    expect([visitor.entered, visitor.failures]).toEqual([queueSlots, ['GUEST_FAILED']])
  })
})

describe('GatePager', () => {
  it('ends all threads that wait when the guest is given up, however often', async () => {
    const guest = new Guest([3])
    guest.pager.listen((region, page) => guest.heard.push([region, page]))
    guest.install(0, 1)
    const visitors = [
      [1, 0],
      [1, 0],
      [1, 1, 2],
    ].map((pages) => new Visitor(guest, 0, pages))
    await until(() => guest.heard.length === 2 && visitors.every(({ entered }) => entered > 0))
    guest.pager.abandon()
    guest.pager.abandon()
    guest.pager.close()
    await Promise.all(visitors.map(({ ended }) => ended))
    expect(visitors.map(({ entered }) => entered)).toEqual([1, 1, 2])
    expect(visitors.flatMap(({ failures }) => failures)).toEqual(Array(3).fill('GUEST_FAILED'))
    expect(guest.pager.faults.count).toBe(0)
  })

  it('ends a thread that comes to a missing page after all was given up', async () => {
    const guest = new Guest([2])
    guest.install(0, 0)
    guest.pager.abandon()
    const visitor = new Visitor(guest, 0, [0, 1])
    await visitor.ended
    expect([visitor.entered, visitor.failures]).toEqual([1, ['GUEST_FAILED']])
  })

  it('is given up after it was closed, too', async () => {
    const guest = new Guest([1])
    guest.serve()
    guest.pager.close()
    guest.pager.close()
    guest.pager.abandon()
    const visitor = new Visitor(guest, 0, [0])
    await visitor.ended
    expect([visitor.failures, guest.heard]).toEqual([['GUEST_FAILED'], []])
  })

  it.each(['before', 'while'] as const)(
    'hears nothing once it was closed %s it hears',
    async (at) => {
      const guest = new Guest([3])
      const visitors = [0, 1, 2].map((page) => new Visitor(guest, 0, [page]))
      await until(() => [0, 1, 2].every((page) => guest.isAwaited(0, page)))
      await turns()
      if (at === 'before') guest.pager.close()
      guest.pager.listen((region, page) => {
        guest.heard.push([region, page])
        guest.pager.close()
      })
      await turns()
      expect(guest.heard.length).toBe(at === 'before' ? 0 : 1)
      for (const page of [0, 1, 2]) guest.install(0, page)
      await Promise.all(visitors.map(({ ended }) => ended))
      expect(visitors.map(({ wrongBytes }) => wrongBytes)).toEqual([0, 0, 0])
    },
  )

  it('sleeps through no request that comes when it has just looked', async () => {
    const guest = new Guest([1])
    const { waitAsync } = Atomics
    // On this thread a gate cannot wait: its page comes at once, though nobody has heard of it.
    const waiting = vi.spyOn(Atomics, 'wait').mockImplementation(() => {
      guest.install(0, 0)
      return 'ok'
    })
    const looking = vi.spyOn(Atomics, 'waitAsync').mockImplementationOnce((...place) => {
      new Gate(guest.pager.memory, () => {}).enter(0, 0)
      return waitAsync(...place)
    })
    cleanups.push(() => [waiting, looking].map((spy) => spy.mockRestore()))
    guest.serve()
    await until(() => guest.heard.length === 1)
    expect(guest.heard).toEqual([[0, 0]])
    expect(waiting).toHaveBeenCalledTimes(1)
  })

  it('tells the last one who listens, and only him', async () => {
    const guest = new Guest([2])
    const earlier: number[] = []
    guest.pager.listen((_, page) => earlier.push(page))
    const visitor = new Visitor(guest, 0, [1, 0])
    await until(() => earlier.length === 1)
    guest.serve()
    guest.install(0, 1)
    await visitor.ended
    expect(earlier).toEqual([1])
    expect(guest.heard).toEqual([[0, 0]])
  })
})
