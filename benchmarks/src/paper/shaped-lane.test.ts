import { describe, expect, it } from 'vitest'
import type { LaneClock } from './shaped-lane.ts'
import { BURST_BYTES, ShapedLane } from './shaped-lane.ts'

/** Time goes on when somebody waits; timers are late by so much. */
class LateClock implements LaneClock {
  #atMs = 1000
  readonly #lateMs: number
  readonly #timers: { atMs: number; fire: () => void }[] = []

  constructor(lateMs: number) {
    this.#lateMs = lateMs
  }

  nowMs(): number {
    return this.#atMs
  }

  after(ms: number, then: () => void): void {
    this.#timers.push({ atMs: this.#atMs + ms + this.#lateMs, fire: then })
  }

  run(): void {
    for (let timer = this.#timers.shift(); timer !== undefined; timer = this.#timers.shift()) {
      this.#atMs = timer.atMs
      timer.fire()
    }
  }
}

const pieceBytes = 64 * 1024
/** Frames have headers, which the link carries, too. */
const payloadShare = 1448 / 1514

/** Payload per second of so many pieces. */
function rateOf(bytesPerSecond: number, pieces: number, lateMs: number): number {
  const clock = new LateClock(lateMs)
  const lane = new ShapedLane(bytesPerSecond, clock)
  let doneMs = 0
  for (let i = 0; i < pieces; i++) lane.send(pieceBytes, () => void (doneMs = clock.nowMs()))
  clock.run()
  return (pieces * pieceBytes * 1e3) / (doneMs - 1000)
}

describe('a shaped lane', () => {
  it.each([
    [12.5e6, 0],
    [12.5e6, 5],
    [125e6, 0],
    [125e6, 2],
  ])('has its rate, headers included: %d B/s, timers late by %d ms', (rate, lateMs) => {
    const ratio = rateOf(rate, 4000, lateMs) / (rate * payloadShare)
    expect(Math.abs(ratio - 1)).toBeLessThan(0.05)
  })

  it('lets no more through at once than the bucket of tbf, and a piece', () => {
    const clock = new LateClock(0)
    const lane = new ShapedLane(12.5e6, clock)
    lane.send(pieceBytes, () => {})
    // A second of rest fills it.
    clock.after(1000, () => {})
    clock.run()
    let atOnce = 0
    const restedMs = clock.nowMs()
    for (let i = 0; i < 100; i++) {
      lane.send(pieceBytes, () => void (atOnce += clock.nowMs() === restedMs ? pieceBytes : 0))
    }
    clock.run()
    expect(atOnce).toBeGreaterThanOrEqual(BURST_BYTES * payloadShare)
    expect(atOnce).toBeLessThanOrEqual(BURST_BYTES + pieceBytes)
  })

  it('keeps the order, and an end behind the bytes', () => {
    const clock = new LateClock(1)
    const lane = new ShapedLane(1e6, clock)
    const seen: number[] = []
    for (let i = 0; i < 20; i++) lane.send(i === 19 ? 0 : pieceBytes, () => void seen.push(i))
    clock.run()
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i))
  })

  it('takes another rate from then on', () => {
    const clock = new LateClock(0)
    const lane = new ShapedLane(1e6, clock)
    lane.rate = 100e6
    let doneMs = 0
    for (let i = 0; i < 100; i++) lane.send(pieceBytes, () => void (doneMs = clock.nowMs()))
    clock.run()
    expect(doneMs - 1000).toBeLessThan(80)
  })
})
