import type { Report } from '@godwit/core'
import { REPORT_SCHEMA } from '@godwit/core'
import { expect, it } from 'vitest'
import type { Case } from '../result.ts'
import type { ChoiceSamples } from './choice-cases.ts'
import { choiceCases } from './choice-cases.ts'
import { AUTO, FIXED_CHOICES } from './choices.ts'

function reportOf(totalMs: number): Report {
  return {
    schema: REPORT_SCHEMA,
    role: 'source',
    outcome: 'completed',
    stages: [],
    wireBytes: 1000,
    rounds: [],
    totalMs,
    downtimeMs: 5,
    cpu: { sourceSeconds: 1, destinationSeconds: 0.5 },
  }
}

/** Two repeats: the best is `zstd` in the first and `lz4` in the second. */
function casesWith(autoMs: readonly number[]): readonly Case[] {
  const samples: ChoiceSamples = new Map([
    ...FIXED_CHOICES.map((choice) => [choice, [2000, 2000].map(reportOf)] as const),
    ['zstd', [1000, 1500].map(reportOf)],
    ['lz4', [1600, 800].map(reportOf)],
    [AUTO, autoMs.map(reportOf)],
  ])
  return choiceCases('link, guest', samples)
}

it('auto is compared with whatever was best in the same repeat', () => {
  expect(casesWith([1100, 880])[0]).toMatchObject({ ratio: 1.1, pass: true })
  expect(casesWith([1150, 888])[0]).toMatchObject({ ratio: (1.15 + 1.11) / 2, pass: false })
})

it('each choice is compared with auto, without a bar', () => {
  const cases = casesWith([1000, 1000])
  const zstd = cases.find(({ name }) => name === 'link, guest, zstd')!
  expect(zstd).toMatchObject({ metric: 'totalMs', ratio: 1.25 })
  expect(cases.filter(({ bar }) => bar !== undefined)).toHaveLength(1)
})

it('CPU time is that of both sides', () => {
  const cpu = casesWith([1, 1]).find(({ metric }) => metric.startsWith('CPU'))
  expect(cpu).toMatchObject({ unit: 's', median: 1.5 })
})
