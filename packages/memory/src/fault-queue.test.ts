import { describe, expect, it, vi } from 'vitest'
import { FaultQueue } from './fault-queue.ts'

const silent = (): void => {}

function drained(queue: FaultQueue): [number, number][] {
  const pages: [number, number][] = []
  queue.drain((region, page) => pages.push([region, page]))
  return pages
}

/**
 * Puts a page; a listener comes before the one who puts has done his step number `step`.
 *
 * @returns whether there were so many steps, and what the listener got
 */
function putInterrupted(step: number): { isListening: boolean; got: readonly unknown[] } {
  const queue = new FaultQueue()
  const got: unknown[] = []
  const take = (): void => queue.drain((region, page) => got.push([region, page]))
  let steps = 0
  let isListening = false
  const spies = (['store', 'add', 'load', 'compareExchange'] as const).map((name) => {
    const real = Atomics[name] as (...parts: unknown[]) => number
    const interrupted = (...parts: unknown[]): number => {
      if (steps++ === step) {
        isListening = true
        queue.ringAt(9)
        take()
      }
      return real(...parts)
    }
    return vi.spyOn(Atomics, name).mockImplementation(interrupted as never)
  })
  queue.put(2, 6, take)
  for (const spy of spies) spy.mockRestore()
  return { isListening, got }
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
    const all = Array.from({ length: 12 }, (_, step) => putInterrupted(step))
    expect(all.filter(({ isListening }) => isListening).length).toBeGreaterThan(5)
    for (const { isListening, got } of all) expect(got).toEqual(isListening ? [[2, 6]] : [])
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
    expect(queue.bell).not.toBe(bell)
    const next = queue.rung(queue.bell)
    queue.close()
    await next
  })
})
