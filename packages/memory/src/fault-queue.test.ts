import { describe, expect, it, vi } from 'vitest'
import { FaultQueue } from './fault-queue.ts'

const silent = (): void => {}

function drained(queue: FaultQueue): [number, number][] {
  const pages: [number, number][] = []
  queue.drain((region, page) => pages.push([region, page]))
  return pages
}

describe('FaultQueue', () => {
  it('hands out what was put, in order and once, through shared words', () => {
    const queue = new FaultQueue()
    const other = new FaultQueue(queue.words)
    for (const page of [5, 0, 7]) other.put(page % 2, page, silent)
    expect(drained(queue)).toEqual([
      [1, 5],
      [0, 0],
      [1, 7],
    ])
    expect(drained(queue)).toEqual([])
  })

  it('rings for every page once there is a descriptor, and when the page can be taken', () => {
    const queue = new FaultQueue()
    const taken: [number, [number, number][]][] = []
    const ring = (descriptor: number): void => {
      taken.push([descriptor, drained(queue)])
    }
    queue.put(0, 1, ring)
    expect(taken).toEqual([])
    queue.ringAt(17)
    // Whoever sets the descriptor looks once by itself: nobody rang for what was there.
    expect(drained(queue)).toEqual([[0, 1]])
    queue.put(0, 2, ring)
    queue.put(1, 3, ring)
    queue.ringAt(0)
    queue.put(0, 4, ring)
    expect(taken).toEqual([
      [17, [[0, 2]]],
      [17, [[1, 3]]],
    ])
  })

  it('loses no page that is put while a listener sets its descriptor', () => {
    // The listener comes between any two steps of the one who puts.
    for (let step = 0; ; step++) {
      const queue = new FaultQueue()
      const got: [number, number][] = []
      const take = (): void => queue.drain((region, page) => got.push([region, page]))
      let steps = 0
      let isListening = false
      const interrupt = (): void => {
        if (isListening || steps++ !== step) return
        isListening = true
        queue.ringAt(9)
        take()
      }
      const { store, add, load } = Atomics
      const spies = [
        vi.spyOn(Atomics, 'store').mockImplementation(((...args: [Int32Array, number, number]) => {
          interrupt()
          return store(...args)
        }) as typeof store),
        vi.spyOn(Atomics, 'add').mockImplementation(((...args: [Int32Array, number, number]) => {
          interrupt()
          return add(...args)
        }) as typeof add),
        vi.spyOn(Atomics, 'load').mockImplementation(((...args: [Int32Array, number]) => {
          interrupt()
          return load(...args)
        }) as typeof load),
      ]
      queue.put(2, 6, take)
      for (const spy of spies) spy.mockRestore()
      if (!isListening) {
        // Nobody came in between: all steps were tried.
        expect(step).toBeGreaterThan(5)
        return
      }
      expect(got, `step ${step}`).toEqual([[2, 6]])
    }
  })

  it('takes and hands out nothing once it is closed or abandoned', () => {
    for (const how of ['close', 'abandon'] as const) {
      const queue = new FaultQueue()
      queue.put(0, 1, silent)
      queue[how]()
      queue.put(0, 2, () => expect.unreachable('rung'))
      expect(drained(queue)).toEqual([])
      expect([queue.isClosed, queue.isAbandoned]).toEqual([true, how === 'abandon'])
    }
  })

  it('tells whoever waits for the bell, also when it rang just before', async () => {
    const queue = new FaultQueue()
    const { bell } = queue
    const waiting = queue.rung(bell)
    queue.put(0, 1, silent)
    await waiting
    await queue.rung(bell)
    const next = queue.rung(queue.bell)
    queue.close()
    await next
  })
})
