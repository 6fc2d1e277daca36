import { expect, it } from 'vitest'
import { shaperCases } from './shaper.ts'

it('what is off counts either way, pair by pair', () => {
  const cases = shaperCases('1 Gbit/s', {
    tbf: [
      { bytesPerSecond: 100, messageMs: 50 },
      { bytesPerSecond: 200, messageMs: 50 },
    ],
    proxy: [
      { bytesPerSecond: 96, messageMs: 55 },
      { bytesPerSecond: 208, messageMs: 45 },
    ],
  })
  const judged = cases.filter(({ bar }) => bar !== undefined)
  expect(judged.map(({ median }) => Math.round(median * 100))).toEqual([4, 10])
  expect(judged.map(({ pass }) => pass)).toEqual([true, false])
})
