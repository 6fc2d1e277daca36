import { expect, test } from 'vitest'
import { BusyPoll } from './busy-poll.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Feeds reads of `byteCount` bytes every 0.1 ms of made-up time. */
function feed(poll: BusyPoll, byteCount: number, reads: number): void {
  const startMs = performance.now()
  for (let i = 0; i < reads; i++) poll.received(byteCount, startMs + i * 0.1)
}

test('stays awake while bytes come fast, and not for long after', async () => {
  const poll = new BusyPoll()
  feed(poll, 400_000, 30)
  expect(poll.isAwake).toBe(true)
  while (poll.isAwake) await turn()
  feed(poll, 400_000, 30)
  expect(poll.isAwake).toBe(true)
  while (poll.isAwake) await turn()
})

test('a gigabit per second is no reason', () => {
  const poll = new BusyPoll()
  feed(poll, 12_500, 100)
  expect(poll.isAwake).toBe(false)
})

test('nor is one large read', () => {
  const poll = new BusyPoll()
  poll.received(4_000_000)
  poll.received(100, performance.now() + 100)
  expect(poll.isAwake).toBe(false)
})
