import { once } from 'node:events'
import { writeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { DescriptorCalls } from './descriptor-calls.ts'
import { loadDescriptorCalls } from './descriptor-calls.ts'
import { PollLoop } from './poll-loop.ts'

const one = new Uint8Array(BigUint64Array.of(1n).buffer)

let calls: DescriptorCalls
let loop: PollLoop
const opened: number[] = []

beforeEach(async () => {
  calls = await loadDescriptorCalls()
  loop = new PollLoop(calls)
})
afterEach(() => {
  for (const descriptor of opened.splice(0)) calls.close(descriptor)
})

/** An event, which may have happened already. */
function event(hasHappened: boolean): number {
  const descriptor = calls.createEvent()
  opened.push(descriptor)
  if (hasHappened) writeSync(descriptor, one)
  return descriptor
}

const isLinux = process.platform === 'linux'

describe.runIf(isLinux)('PollLoop, its tasks', () => {
  test('runs tasks when they are due, in that order, and those of `soon` at once', () => {
    const order: string[] = []
    const startMs = loop.nowMs()
    loop.soon(() => {
      loop.after(30, () => {
        order.push('30')
        loop.stop()
      })
      loop.after(10, () => order.push('10'))
      const cancel = loop.after(20, () => order.push('cancelled'))
      loop.after(0, () => order.push('0'))
      loop.soon(() => order.push('soon'))
      loop.after(5, cancel)
    })
    loop.run()
    expect(order.toSorted()).toEqual(['0', '10', '30', 'soon'])
    expect(order.slice(-2)).toEqual(['10', '30'])
    expect(loop.nowMs() - startMs).toBeGreaterThanOrEqual(30)
  })

  test('lets an earlier task cancel a later one, although both are late', () => {
    const order: string[] = []
    loop.soon(() => {
      const cancel = loop.after(2, () => order.push('cancelled'))
      loop.after(1, cancel)
      loop.after(3, () => loop.stop())
      const lateMs = loop.nowMs() + 5
      while (loop.nowMs() < lateMs) order.length = 0
    })
    loop.run()
    expect(order).toEqual([])
  })

  test('leaves to Node what is not done before it runs, and after it', async () => {
    const order: string[] = []
    const all = Promise.withResolvers<void>()
    loop.soon(() => order.push('soon'))
    loop.after(1, () => order.push('after'))
    await new Promise((resolve) => setTimeout(resolve, 2))
    expect(order.toSorted()).toEqual(['after', 'soon'])
    loop.soon(() => {
      loop.after(5, () => {
        order.push('later')
        all.resolve()
      })
      loop.soon(() => loop.soon(() => order.push('last')))
      loop.stop()
    })
    loop.run()
    expect(order).toHaveLength(2)
    await all.promise
    expect(order.slice(2)).toEqual(['last', 'later'])
  })
})

describe.runIf(isLinux)('PollLoop, its descriptors', () => {
  test('tells who watches as long as there is something, and nobody else', () => {
    const told: string[] = []
    const unwatchSilent = loop.watch({
      descriptor: event(false),
      ready: () => told.push('nothing happened'),
    })
    loop.watch({
      descriptor: event(true),
      ready() {
        told.push('happened')
        if (told.length === 3) loop.stop()
      },
    })
    loop.run()
    expect(told).toEqual(Array(3).fill('happened'))
    unwatchSilent()
  })

  test('tells nobody any more whom an earlier one has ended', () => {
    const told: string[] = []
    loop.watch({
      descriptor: event(true),
      ready() {
        told.push('first')
        unwatch()
        loop.stop()
      },
    })
    const unwatch = loop.watch({ descriptor: event(true), ready: () => told.push('second') })
    loop.run()
    expect(told).toEqual(['first'])
  })

  test('waits for room to write only where that is wanted', () => {
    const [descriptor, other] = calls.createPair()
    opened.push(descriptor, other)
    const told: string[] = []
    const wants = { descriptor, wantsToWrite: false, ready: () => told.push('room') }
    loop.watch(wants)
    loop.after(1, () => {
      told.push('wanted')
      wants.wantsToWrite = true
      loop.after(1, () => loop.stop())
    })
    loop.run()
    expect(told[0]).toBe('wanted')
    expect(told[1]).toBe('room')
  })
})

describe.runIf(isLinux)('PollLoop', () => {
  test('looks again and again after something came, as long as it is to be awake', () => {
    let nowMs = 1000
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
    const timeouts: number[] = []
    const counted = {
      ...calls,
      poll(polled: Int32Array, timeoutMs: number): boolean {
        timeouts.push(timeoutMs)
        const came = calls.poll(polled, 0)
        nowMs += came ? 0 : Math.max(1, timeoutMs)
        return came
      },
    }
    const awake = new PollLoop(counted, 5)
    const bell = event(true)
    const into = new Uint8Array(8)
    awake.watch({ descriptor: bell, ready: () => void calls.read(bell, into) })
    awake.after(20, () => awake.stop())
    awake.run()
    clock.mockRestore()
    // The bell, then awake for 5 ms of looks, then asleep for what is left of the 20 ms.
    expect(timeouts).toEqual([20, 0, 0, 0, 0, 0, 15])
  })

  test('lets its thread be ended from outside while it waits for nothing', async () => {
    const url = (name: string): string => new URL(name, import.meta.url).href
    const source = `
      const { parentPort, workerData } = require('node:worker_threads')
      Promise.all(workerData.map((url) => import(url))).then(async ([calls, loops]) => {
        const loop = new loops.PollLoop(await calls.loadDescriptorCalls())
        loop.soon(() => parentPort.postMessage('waits'))
        loop.run()
      })
    `
    const workerData = [url('./descriptor-calls.ts'), url('./poll-loop.ts')]
    const worker = new Worker(source, { eval: true, workerData })
    await once(worker, 'message')
    expect(await worker.terminate()).toBe(1)
  })
})
