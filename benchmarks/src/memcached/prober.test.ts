import { expect, it } from 'vitest'
import { longestMs } from './prober.ts'

it('longestMs: the longest wait that reaches into a span', () => {
  const probes = [
    { atMs: 0, tookMs: 5 },
    { atMs: 10, tookMs: 40 },
    { atMs: 60, tookMs: 1 },
    { atMs: 70, tookMs: 100 },
  ]
  expect(longestMs(probes, 50, 70)).toBe(1)
  expect(longestMs(probes, 49, 70)).toBe(40)
  expect(longestMs(probes, 49, 71)).toBe(100)
  expect(longestMs(probes, 200, 300)).toBe(0)
})
