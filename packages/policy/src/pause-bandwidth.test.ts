import { expect, it } from 'vitest'
import { expectedPauseBandwidth } from './pause-bandwidth.ts'

const none = Infinity

it.each([
  // Nobody caps anything: what was measured last.
  [{ measured: 80, roundCap: none, most: 100, pauseCap: none }, 80],
  // The pause has less than the rounds.
  [{ measured: 80, roundCap: none, most: 100, pauseCap: 5 }, 5],
  [{ measured: 20, roundCap: 20, most: 20, pauseCap: 5 }, 5],
  // The round had the least that a policy grants; the link took 100 before.
  [{ measured: 5, roundCap: 5, most: 100, pauseCap: 90 }, 90],
  [{ measured: 4.5, roundCap: 5, most: 100, pauseCap: none }, 100],
  // It did not get to its cap: the link does not carry more now.
  [{ measured: 4.4, roundCap: 5, most: 100, pauseCap: none }, 4.4],
  // All rounds were capped: more than that was never seen.
  [{ measured: 20, roundCap: 20, most: 20, pauseCap: none }, 20],
])('%j: %d', (seen, expected) => {
  expect(expectedPauseBandwidth(seen)).toBe(expected)
})
