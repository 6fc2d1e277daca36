import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FaultLog } from './fault-log.ts'

/** Nearest rank: the smallest value that is not below `share` of all. */
function exactly(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.ceil(sorted.length * share) - 1]!
}

function logOf(waitsMs: readonly number[]): FaultLog {
  const log = new FaultLog()
  for (const waitedMs of waitsMs) log.add(waitedMs)
  return log
}

/** What a log tells wrongly of some waits; it counts in 0.1 us. */
function mistakes(waitsUs: readonly number[]): readonly string[] {
  const { count, p50Us, p99Us, maxUs, blockedMs } = logOf(waitsUs.map((us) => us / 1e3)).report
  const sumMs = waitsUs.reduce((sum, us) => sum + us, 0) / 1e3
  const isNear = (found: number, exact: number): boolean => {
    return Math.abs(found - exact) <= exact * 0.03 + 0.06 && found <= maxUs
  }
  const checks = {
    count: count === waitsUs.length,
    p50Us: isNear(p50Us, exactly(waitsUs, 0.5)),
    p99Us: isNear(p99Us, exactly(waitsUs, 0.99)),
    maxUs: Math.abs(maxUs - Math.max(...waitsUs)) < 0.06,
    blockedMs: Math.abs(blockedMs - sumMs) < 1e-4 * waitsUs.length,
  }
  return Object.entries(checks).flatMap(([name, isRight]) => (isRight ? [] : [name]))
}

describe('FaultLog', () => {
  it('is empty at first', () => {
    const nothing = { count: 0, p50Us: 0, p99Us: 0, maxUs: 0, blockedMs: 0 }
    expect(new FaultLog().report).toEqual(nothing)
  })

  it('tells short waits to the tenth of a microsecond', () => {
    expect(logOf([0.0011, 0.0023, 0.0031]).report).toEqual({
      count: 3,
      p50Us: 2.3,
      p99Us: 3.1,
      maxUs: 3.1,
      blockedMs: 0.0065,
    })
  })

  it.each<[string, number[]]>([
    ['one wait', [731]],
    ['the same wait all the time', Array<number>(1000).fill(433.3)],
    ['a wait for each microsecond', [...Array(5000).keys()]],
    ['two kinds of waits', [...Array<number>(98).fill(120), 90_000, 91_000]],
    ['powers of two, and beside them', [...Array(27).keys()].flatMap((n) => [2 ** n, 2 ** n - 1])],
  ])('has percentiles within 3 %%: %s', (_, waitsUs) => {
    expect(mistakes(waitsUs)).toEqual([])
  })

  it('has percentiles within 3 % whatever the waits are', () => {
    const wait = fc.oneof(
      fc.double({ min: 0, max: 10, noNaN: true }),
      fc.double({ min: 0, max: 5000, noNaN: true }),
      fc.double({ min: 0, max: 2e8, noNaN: true }),
    )
    fc.assert(
      fc.property(fc.array(wait, { minLength: 1, maxLength: 300 }), (waitsUs) => {
        expect(mistakes(waitsUs)).toEqual([])
      }),
    )
  })

  it('counts waits of no time, and none of less', () => {
    const { count, ...rest } = logOf([0, 0, -1]).report
    expect(count).toBe(3)
    expect(rest).toEqual({ p50Us: 0, p99Us: 0, maxUs: 0, blockedMs: 0 })
  })

  it('takes waits of over 214 s for that, and still sums them up', () => {
    const hourMs = 3.6e6
    const { count, p50Us, p99Us, maxUs, blockedMs } = logOf([hourMs, hourMs, 5 * hourMs]).report
    expect(count).toBe(3)
    expect(maxUs).toBe(214_748_364.7)
    expect(p50Us / maxUs).toBeGreaterThan(0.97)
    expect(p99Us).toBe(p50Us)
    expect(blockedMs).toBe(7 * hourMs)
  })

  it('is one log in all threads that have its words', () => {
    const log = new FaultLog()
    expect(log.words.buffer).toBeInstanceOf(SharedArrayBuffer)
    const others = [new FaultLog(log.words), new FaultLog(structuredClone(log.words))]
    log.add(1)
    others[0]!.add(2)
    others[1]!.add(3)
    for (const one of [log, ...others]) {
      expect(one.report).toMatchObject({ count: 3, maxUs: 3000, blockedMs: 6 })
      expect(one.report.p50Us / 2000).toBeCloseTo(1, 1)
    }
  })
})
