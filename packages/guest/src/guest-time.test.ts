import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GuestTime } from './guest-time.ts'
import { RatePacer } from './pacer.ts'

/** Runs for `ms`, in looks every `lookMs`, waking up `lateMs` late. @returns time it could run */
function run(
  time: GuestTime,
  share: number,
  { ms = 10_000, lookMs = 0.05, lateMs = 0.06 },
): number {
  let ran = 0
  for (let now = 0; now < ms; ) {
    const takenMs = time.take(now, share)
    if (takenMs > 0) {
      now += takenMs + lateMs
      continue
    }
    now += lookMs
    ran += lookMs
  }
  return ran
}

describe('GuestTime', () => {
  it('is wall-clock time without a throttle', () => {
    const time = new GuestTime(100)
    expect([time.take(105, 0), time.nowMs, time.leftMs]).toEqual([0, 5, Infinity])
    expect([time.take(90_000, 0), time.nowMs]).toEqual([0, 89_900])
  })

  it('stands still for its share of turns of 10 ms', () => {
    const time = new GuestTime(0)
    expect(time.take(0, 0.2)).toBe(0)
    expect([time.take(7, 0.2), time.leftMs]).toEqual([0, 1])
    expect(time.take(8, 0.2)).toBe(2)
    expect(time.take(9, 0.2)).toBe(1)
    expect([time.take(10, 0.2), time.nowMs, time.leftMs]).toEqual([0, 8, 8])
  })

  it('makes up for waking late and for running long, by standing still for less', () => {
    const time = new GuestTime(0)
    time.take(0, 0.5)
    expect(time.take(6, 0.5)).toBe(4)
    expect(time.nowMs).toBe(5)
    expect(time.take(11, 0.5)).toBe(0)
    expect(time.take(16, 0.5)).toBe(4)
  })

  it('does not freeze a guest for what it slept before it was throttled', () => {
    const time = new GuestTime(0)
    expect([time.take(60_000, 0.99), time.leftMs < 0.2]).toEqual([0, true])
    expect(time.take(60_001, 0.99)).toBeLessThan(10)
  })

  it('goes on at once when the throttle is released', () => {
    const time = new GuestTime(0)
    time.take(0, 0.9)
    expect(time.take(1, 0.9)).toBe(9)
    expect([time.take(2, 0), time.leftMs]).toEqual([0, Infinity])
    expect([time.take(50, 0), time.nowMs]).toEqual([0, 49])
  })

  it('takes its share of the time, whoever is late', () => {
    const share = fc.double({ min: 0, max: 0.99, noNaN: true })
    const how = fc.record({
      lookMs: fc.double({ min: 0.01, max: 0.1, noNaN: true }),
      lateMs: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    fc.assert(
      fc.property(share, how, (taken, late) => {
        const time = new GuestTime(0)
        const ran = run(time, taken, late)
        // A guest that is looked at every 0.1 ms may get that much more per turn than it should.
        expect(time.nowMs / 10_000).toBeGreaterThan((1 - taken) * 0.9 - 0.01)
        expect(time.nowMs / 10_000).toBeLessThan(1 - taken + 0.012)
        expect(ran / 10_000).toBeGreaterThan((1 - taken) * 0.9 - 0.01)
      }),
    )
  })

  it('slows a guest down that works by the clock and sleeps most of the time', () => {
    const time = new GuestTime(0)
    const pacer = new RatePacer(1000)
    pacer.restart(time.nowMs)
    let steps = 0
    for (let now = 0; now < 10_000; ) {
      const takenMs = time.take(now, 0.75)
      if (takenMs > 0) {
        now += takenMs
        continue
      }
      const due = pacer.due(time.nowMs)
      pacer.spend(due)
      steps += due
      // A step takes a microsecond: all the rest is sleep.
      now += due > 0 ? due / 1000 : Math.min(pacer.sleepMs(), time.leftMs)
    }
    expect(steps).toBeGreaterThan(2400)
    expect(steps).toBeLessThan(2600)
  })
})
