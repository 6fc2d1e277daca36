import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { linearAxis, logAxis, percent } from './axis.ts'
import { durationText, rateText } from './figure.ts'

describe('a linear axis', () => {
  it('goes from 0 to its maximum', () => {
    const axis = linearAxis(2000, durationText)
    expect([0, 500, 2000].map((ms) => axis.at(ms))).toEqual([0, 0.25, 1])
    expect(axis.ticks).toEqual([
      { at: 0, text: '0' },
      { at: 0.25, text: '500\u00a0ms' },
      { at: 0.5, text: '1\u00a0s' },
      { at: 0.75, text: '1.5\u00a0s' },
      { at: 1, text: '2\u00a0s' },
    ])
  })

  it('ends at a round number where that is asked for', () => {
    const axis = linearAxis(168.7e6, rateText, { isRound: true })
    expect(axis.at(200e6)).toBe(1)
    expect(axis.ticks.map(({ text }) => text.replace('\u00a0', ' '))).toEqual([
      '0',
      '50 MB/s',
      '100 MB/s',
      '150 MB/s',
      '200 MB/s',
    ])
  })

  it('keeps everything within the plot, whatever comes', () => {
    const number = fc.double({ noNaN: true, min: 0 })
    fc.assert(
      fc.property(number, number, number, (max, value, low) => {
        for (const axis of [linearAxis(max, String), logAxis(low, max, String)]) {
          const places = [axis.at(value), axis.at(Number.NaN), ...axis.ticks.map(({ at }) => at)]
          for (const at of places) expect(at >= 0 && at <= 1).toBe(true)
          expect(axis.ticks.length).toBeLessThan(20)
        }
      }),
    )
  })
})

describe('a logarithmic axis', () => {
  it('has whole powers of ten', () => {
    const axis = logAxis(200, 7000, (us) => durationText(us / 1e3))
    expect(axis.ticks.map(({ text }) => text.replace('\u00a0', ' '))).toEqual([
      '100 µs',
      '1 ms',
      '10 ms',
    ])
    expect(axis.at(1000)).toBeCloseTo(0.5, 12)
    expect(axis.at(0)).toBe(0)
  })
})

it('percent is what an attribute takes', () => {
  expect([0, 0.12345, 1, 2, -1, Number.NaN].map(percent)).toEqual([
    '0%',
    '12.35%',
    '100%',
    '100%',
    '0%',
    '0%',
  ])
})
