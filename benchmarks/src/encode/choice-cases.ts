/**
 * What became of the choices: `auto` against the best one of each repeat.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import type { Case, CaseFacts, Unit } from '../result.ts'
import { pairedWith, toCase } from '../result.ts'
import { AUTO, FIXED_CHOICES } from './choices.ts'

const autoBar = 1.1

/** Reports of sources by choice, one of each choice per repeat. */
export type ChoiceSamples = ReadonlyMap<string, readonly Report[]>

const figures = [
  ['totalMs', 'ms', (report: Report) => report.totalMs!],
  ['wireBytes', 'bytes', (report: Report) => report.wireBytes],
  ['CPU of both sides', 's', cpuSecondsOf],
  ['downtimeMs', 'ms', (report: Report) => report.downtimeMs!],
] as const satisfies readonly (readonly [string, Unit, (report: Report) => number])[]

function cpuSecondsOf({ cpu }: Report): number {
  return cpu!.sourceSeconds! + cpu!.destinationSeconds!
}

/** `auto` with its bar, then what each choice took, repeat by repeat against `auto`. */
export function choiceCases(name: string, samples: ChoiceSamples): Case[] {
  const cases = [autoCase(name, samples)]
  for (const choice of [AUTO, ...FIXED_CHOICES]) {
    for (const [metric, unit, read] of figures) {
      const values = samples.get(choice)!.map(read)
      const facts: CaseFacts = { name: `${name}, ${choice}`, metric, unit, values }
      const against = pairedWith(AUTO, samples.get(AUTO)!.map(read))
      cases.push(toCase(choice === AUTO ? facts : { ...facts, against }))
    }
  }
  return cases
}

/** Which choice is best may differ from repeat to repeat, so `auto` competes with luck, too. */
function autoCase(name: string, samples: ChoiceSamples): Case {
  const values = samples.get(AUTO)!.map((report) => report.totalMs!)
  const best = values.map((_, i) =>
    Math.min(...FIXED_CHOICES.map((choice) => samples.get(choice)![i]!.totalMs!)),
  )
  return toCase({
    name: `${name}, ${AUTO}`,
    metric: 'totalMs, against the best',
    unit: 'ms',
    values,
    against: pairedWith("each repeat's best", best),
    bar: { op: '<=', value: autoBar },
  })
}
