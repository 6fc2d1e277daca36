import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TokenBucket } from './token-bucket.ts'

/** Sends batches as fast as the bucket allows, with timers that are late. @returns bytes sent */
function sendFor(
  bucket: TokenBucket,
  ms: number,
  batchBytes: number,
  lateMs: () => number,
  startMs = 0,
): number {
  let nowMs = startMs
  let sent = 0
  while (nowMs < startMs + ms) {
    const waitMs = bucket.waitMs(nowMs)
    if (waitMs > 0) nowMs += Math.max(1, waitMs) + lateMs()
    else {
      bucket.spend(batchBytes, nowMs)
      sent += batchBytes
    }
  }
  return sent
}

describe('TokenBucket', () => {
  it('holds the cap within 5 percent from 10 Mbit/s to 10 Gbit/s, with late timers', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1.25e6, max: 1.25e9, noNaN: true }),
        fc.constantFrom(256 * 1024, 64 * 1024),
        fc.array(fc.integer({ min: 0, max: 8 }), { minLength: 1, maxLength: 20 }),
        (rate, batchBytes, late) => {
          let at = 0
          const bucket = new TokenBucket(rate)
          const sent = sendFor(bucket, 10_000, batchBytes, () => late[at++ % late.length]!)
          expect(Math.abs(sent / 10 / rate - 1)).toBeLessThan(0.05)
        },
      ),
      { numRuns: 30 },
    )
  })

  it('wants little at a time where the cap is low', () => {
    expect(new TokenBucket(1.25e6).grainBytes).toBe(25_000)
    expect(new TokenBucket(Infinity).grainBytes).toBe(Infinity)
  })

  it('does not save up idle time', () => {
    const bucket = new TokenBucket(1e6)
    bucket.spend(1000, 0)
    const sent = sendFor(bucket, 100, 1000, () => 0, 60_000)
    expect(sent).toBeLessThanOrEqual(100_000 + 20_000 + 1000)
  })

  it('follows a change of the cap', () => {
    const bucket = new TokenBucket(1e6)
    expect(sendFor(bucket, 1000, 1000, () => 0)).toBeCloseTo(1e6, -5)
    bucket.change(5e6, 1000)
    expect(bucket.bytesPerSecond).toBe(5e6)
    expect(sendFor(bucket, 1000, 1000, () => 0, 1000) / 5e6).toBeCloseTo(1, 1)
  })

  it('does not catch up with time from before a change', () => {
    const bucket = new TokenBucket(1e6)
    bucket.spend(1000, 0)
    // Of 1 ms that was not used nothing is left: 1000 bytes are 1 ms from here on.
    bucket.change(1e6, 2)
    bucket.spend(1000, 2)
    expect(bucket.waitMs(2)).toBeCloseTo(1, 9)
  })

  it('pays what is owed at the new cap', () => {
    const bucket = new TokenBucket(1000)
    bucket.spend(100_000, 0)
    expect(bucket.waitMs(0)).toBeCloseTo(100_000, 6)
    bucket.change(1e6, 50_000)
    expect(bucket.waitMs(50_000)).toBeCloseTo(50, 6)
    bucket.change(Infinity, 50_000)
    expect(bucket.waitMs(50_000)).toBe(0)
  })

  it.each([0, -1, Number.NaN])(
    'refuses %d: nothing would ever go, nor after it is raised',
    (no) => {
      const usage = expect.objectContaining({ code: 'USAGE' })
      expect(() => new TokenBucket(no)).toThrow(usage)
      const bucket = new TokenBucket(1e6)
      expect(() => bucket.change(no, 0)).toThrow(usage)
      expect(bucket.bytesPerSecond).toBe(1e6)
    },
  )

  it('never waits without a cap', () => {
    const bucket = new TokenBucket(Infinity)
    for (let i = 0; i < 100; i++) bucket.spend(1e9, 0)
    expect(bucket.waitMs(0)).toBe(0)
  })
})
