import { describe, expect, it } from 'vitest'
import { dueBytes, slowestRate } from './service.ts'

describe('a service', () => {
  it('sends what is due, and forgets what the link does not take', () => {
    expect(dueBytes(1e6, 5, 0)).toBe(5000)
    expect(dueBytes(1e6, 5, 50_000)).toBe(5000)
    expect(dueBytes(1e6, 5, 50_001)).toBe(0)
  })
})

describe('the slowest stretch', () => {
  /** 100 bytes each 10 ms, but 20 from 50 to 100 ms. */
  const samples = Array.from({ length: 21 }, (_, i) => {
    const slow = Math.min(Math.max(i - 5, 0), 5)
    return { atMs: 10 * i, bytes: 100 * i - 80 * slow }
  })

  it('is found wherever it is', () => {
    expect(slowestRate(samples, 50)).toBeCloseTo(2000)
    expect(slowestRate(samples, 100)).toBeCloseTo(6000)
    expect(slowestRate(samples, 200)).toBeCloseTo(8000)
  })

  it('is none where nothing was measured for as long', () => {
    expect(slowestRate(samples, 201)).toBeUndefined()
    expect(slowestRate([], 1)).toBeUndefined()
  })
})
