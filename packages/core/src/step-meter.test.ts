import { describe, expect, it } from 'vitest'
import type { Clock } from './clock.ts'
import { STEP_SAMPLES_MAX, StepMeter } from './step-meter.ts'

/** A clock that goes when it is told to, and a guest that does a step in a millisecond. */
function world(): {
  clock: Clock
  go: (ms: number) => void
  steps: () => number
  timers: () => number
} {
  let nowMs = 1000
  let timers: { atMs: number; task: () => void }[] = []
  const clock: Clock = {
    nowMs: () => nowMs,
    after(delayMs, task) {
      const timer = { atMs: nowMs + delayMs, task }
      timers.push(timer)
      return () => (timers = timers.filter((one) => one !== timer))
    },
    soon: () => {},
  }
  const go = (ms: number): void => {
    const endMs = nowMs + ms
    for (;;) {
      const next = timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined) break
      timers = timers.filter((one) => one !== next)
      nowMs = next.atMs
      next.task()
    }
    nowMs = endMs
  }
  return { clock, go, steps: () => 3 * nowMs, timers: () => timers.length }
}

describe('a step meter', () => {
  it('tells how many steps came in which time, and looks once more at the end', () => {
    const { clock, go, steps, timers } = world()
    const meter = new StepMeter(clock, 900)
    meter.begin(steps)
    go(250)
    meter.end()
    expect(meter.samples).toEqual([
      { atMs: 100, ms: 100, steps: 300 },
      { atMs: 200, ms: 100, steps: 300 },
      { atMs: 300, ms: 50, steps: 150 },
    ])
    expect(timers()).toBe(0)
  })

  it('leaves a gap where nobody looked', () => {
    const { clock, go, steps } = world()
    const meter = new StepMeter(clock, 1000)
    meter.begin(steps)
    go(50)
    meter.end()
    go(1000)
    meter.begin(steps)
    go(50)
    meter.end()
    expect(meter.samples.map(({ atMs }) => atMs)).toEqual([0, 1050])
  })

  it('has nothing of a guest that does not count, and nothing of one that was set back', () => {
    const { clock, go } = world()
    const meter = new StepMeter(clock, 1000)
    meter.begin(undefined)
    go(500)
    const counts = [500, 600, 90, 190]
    meter.begin(() => counts.shift()!)
    go(300)
    expect(meter.samples.map(({ steps }) => steps)).toEqual([100, 100])
  })

  it('is bounded however long it takes, and loses no step', () => {
    const { clock, go, steps } = world()
    const meter = new StepMeter(clock, 1000)
    meter.begin(steps)
    go(3_600_000)
    meter.end()
    const { samples } = meter
    expect(samples.length).toBeLessThanOrEqual(STEP_SAMPLES_MAX)
    expect(samples.length).toBeGreaterThan(STEP_SAMPLES_MAX / 4)
    expect(samples.reduce((sum, one) => sum + one.steps, 0)).toBe(3 * 3_600_000)
  })
})
