import { describe, expect, it } from 'vitest'
import { Tally } from './tally.ts'

describe('a tally', () => {
  it('keeps what was counted and lets go of what is over', async () => {
    const tally = new Tally()
    const end = Promise.withResolvers<void>()
    const first = { wireBytes: 10, cpuSeconds: 1, ended: end.promise }
    tally.add(first)
    tally.add({ wireBytes: 5, ended: Promise.resolve() })
    expect([tally.wireBytes, tally.cpuSeconds, tally.openCount]).toEqual([15, 1, 2])
    first.wireBytes = 30
    let isOver = false
    const over = tally.ended().then(() => {
      isOver = true
    })
    await new Promise(setImmediate)
    expect([tally.wireBytes, tally.openCount, isOver]).toEqual([35, 1, false])
    end.resolve()
    await over
    first.wireBytes = 99
    expect([tally.wireBytes, tally.cpuSeconds, tally.openCount]).toEqual([35, 1, 0])
  })

  it('waits for what comes while it waits', async () => {
    const tally = new Tally()
    const end = Promise.withResolvers<void>()
    const first = Promise.withResolvers<void>()
    tally.add({ wireBytes: 1, ended: first.promise })
    const over = tally.ended()
    tally.add({ wireBytes: 2, ended: end.promise })
    first.resolve()
    await new Promise(setImmediate)
    expect(tally.openCount).toBe(1)
    end.reject(new Error('died'))
    await over
    expect(tally.wireBytes).toBe(3)
  })
})
