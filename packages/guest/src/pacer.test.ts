import { describe, expect, it } from 'vitest'
import { BurstPacer, DutyPacer, pacerOf, RatePacer } from './pacer.ts'

describe('RatePacer', () => {
  it('earns steps with time, and keeps fractions', () => {
    const pacer = new RatePacer(1000)
    pacer.restart(50)
    expect(pacer.due(52.5)).toBe(2)
    pacer.spend(2)
    expect(pacer.due(53)).toBe(1)
  })

  it('catches up a fifth of a second at most, and no pause', () => {
    const pacer = new RatePacer(1000)
    pacer.restart(0)
    expect(pacer.due(10_000)).toBe(200)
    pacer.spend(200)
    pacer.restart(20_000)
    expect(pacer.due(20_001)).toBe(1)
  })

  it('gets to a step however slow it is, and never at rate 0', () => {
    const slow = new RatePacer(1)
    slow.restart(0)
    expect(slow.due(999)).toBe(0)
    expect(slow.sleepMs()).toBe(2)
    expect(slow.due(1000)).toBe(1)
    const still = new RatePacer(0)
    still.restart(0)
    expect(still.due(1e6)).toBe(0)
    expect(still.sleepMs()).toBe(Infinity)
  })
})

describe('BurstPacer', () => {
  it('earns steps in bursts only, and sleeps from one to the next', () => {
    const pacer = new BurstPacer(1000, 20, 30)
    pacer.restart(7)
    expect(pacer.due(17)).toBe(10)
    pacer.spend(10)
    expect(pacer.sleepMs()).toBe(2)
    // The burst is over after 20 ms.
    expect(pacer.due(37)).toBe(10)
    pacer.spend(10)
    expect(pacer.sleepMs()).toBe(20)
    expect(pacer.due(57)).toBe(0)
    expect(pacer.due(62)).toBe(5)
  })

  it('comes to its part of the rate, however it is looked at', () => {
    const pacer = new BurstPacer(1000, 20, 30)
    pacer.restart(0)
    let steps = 0
    for (let now = 0; now <= 10_000; now += 13) {
      const due = pacer.due(now)
      pacer.spend(due)
      steps += due
    }
    expect(steps).toBeGreaterThan(3980)
    expect(steps).toBeLessThanOrEqual(4000)
  })

  it('goes on with its burst after a pause, which is no part of it', () => {
    const pacer = new BurstPacer(1000, 20, 1000)
    pacer.restart(0)
    pacer.spend(pacer.due(10))
    pacer.restart(90_000)
    expect(pacer.due(90_050)).toBe(10)
  })
})

describe('DutyPacer', () => {
  it.each([0, 40, 80, 100])('is busy for %s percent of the time', (percent) => {
    const pacer = new DutyPacer(percent)
    let now = 0
    let busy = 0
    pacer.restart(now)
    while (now < 10_000) {
      if (pacer.due(now) === 0) {
        now = Math.min(10_000, now + pacer.sleepMs())
        continue
      }
      pacer.spend(1, 0.5)
      now += 0.5
      busy += 0.5
    }
    expect(busy / 100).toBeCloseTo(percent, 0)
  })
})

describe('pacerOf', () => {
  it('gives each thread its part of the rate', () => {
    const pacer = pacerOf({ kind: 'writer', options: { rate: 1000, threads: 4 } })
    pacer.restart(0)
    expect(pacer.due(100)).toBe(25)
  })

  it('has bursts where the guest has', () => {
    const pacer = pacerOf({ kind: 'ikcs', options: { rate: 1000, busy: 20, pause: 30 } })
    pacer.restart(0)
    expect([pacer.due(100), pacer.sleepMs()]).toEqual([40, 2])
  })

  it('takes the segments of a stream at its rate', () => {
    const pacer = pacerOf({ kind: 'network', options: { rate: 40_960_000, seed: 1 } })
    pacer.restart(0)
    expect(pacer.due(100)).toBe(1000)
  })

  it('ticks a hundred times a second without a rate', () => {
    const pacer = pacerOf({ kind: 'idle', options: {} })
    pacer.restart(0)
    expect(pacer.due(100)).toBe(10)
  })
})
