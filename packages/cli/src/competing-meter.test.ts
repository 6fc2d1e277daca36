import { GodwitError } from '@godwit/core'
import { expect, it } from 'vitest'
import { CompetingMeter } from './competing-meter.ts'

/** A service that is given 1 byte in each millisecond, by a clock that only the test moves. */
function play(stages: readonly (readonly [atMs: number, stage: string])[], endMs: number) {
  let nowMs = 0
  const measure = () => {
    const fromMs = nowMs
    return () => {
      const ms = nowMs - fromMs
      return { askedBytesPerSecond: 2000, bytesPerSecond: 1000, bytes: ms, ms }
    }
  }
  const meter = new CompetingMeter({ measure, error: undefined })
  for (const [atMs, stage] of stages) {
    nowMs = atMs
    meter.reached(stage)
  }
  nowMs = endMs
  return meter.read()?.ms
}

const before = [
  [1, 'preparation'],
  [3, 'reservation'],
] as const
const after = [
  [200, 'verification'],
  [900, 'proof'],
] as const

it.each([
  [
    'pre-copy',
    [
      [40, 'pre-copy'],
      [90, 'stop-and-copy'],
      [95, 'commit'],
      [100, 'activation'],
    ],
    60,
  ],
  [
    'stop-copy',
    [
      [40, 'stop-and-copy'],
      [95, 'commit'],
      [100, 'activation'],
    ],
    60,
  ],
  [
    'hybrid',
    [
      [40, 'pre-copy'],
      [90, 'stop-and-copy'],
      [100, 'activation'],
      [101, 'post-copy'],
      [170, 'completion'],
    ],
    130,
  ],
  [
    'post-copy',
    [
      [90, 'stop-and-copy'],
      [100, 'activation'],
      [101, 'post-copy'],
      [170, 'completion'],
    ],
    80,
  ],
] as const)('a service is measured while a guest moves by %s', (_mode, stages, ms) => {
  expect(play([...before, ...stages, ...after], 1000)).toBe(ms)
})

it('what was never begun has no figures; what failed has those until then', () => {
  expect(play(before, 50)).toBeUndefined()
  expect(play([...before, [40, 'pre-copy']], 50)).toBe(10)
})

it('a service that ended early is told', () => {
  const figures = { askedBytesPerSecond: 2, bytesPerSecond: 1, bytes: 1, ms: 1000 }
  const error = new GodwitError('CONNECTION_LOST', 'it went away')
  const meter = new CompetingMeter({ measure: () => () => figures, error })
  meter.reached('pre-copy')
  meter.reached('activation')
  expect(meter.read()).toEqual({
    ...figures,
    error: { code: 'CONNECTION_LOST', text: 'it went away' },
  })
})
