import { readFileSync } from 'node:fs'
import type { MigrationMode } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import type { Counterexample, Exploration } from '../test/model/explore.ts'
import { explore } from '../test/model/explore.ts'
import type { Mistake } from '../test/model/mistakes.ts'
import { mistakes } from '../test/model/mistakes.ts'
import type { Rules } from '../test/model/rules.ts'
import { rules } from '../test/model/rules.ts'
import type { Plan } from '../test/model/source-side.ts'
import type { Budget } from '../test/model/system.ts'
import { tableOf } from '../test/model/table.ts'

const nothing: Budget = {
  sourceCrashes: 0,
  destinationCrashes: 0,
  cuts: 0,
  failures: 0,
  cancels: 0,
  duplicates: 0,
  strangers: 0,
}

interface Agreed {
  readonly asks: boolean
  readonly sourceRecovers: boolean
  readonly destinationRecovers: boolean
}

const full: Agreed = { asks: true, sourceRecovers: true, destinationRecovers: true }

function planOf(mode: MigrationMode, agreed: Agreed, which: Rules = rules): Plan {
  const common = { mode, verify: false, final: false, asks: agreed.asks }
  const source = { ...common, recovers: agreed.sourceRecovers, keepsCheckpoints: false }
  const destination = { ...common, recovers: agreed.destinationRecovers }
  return { terms: { source, destination }, rules: which }
}

function check(
  mode: MigrationMode,
  agreed: Agreed,
  faults: Partial<Budget>,
  which: Rules = rules,
  checksOrder = true,
): Exploration {
  return explore(planOf(mode, agreed, which), { ...nothing, ...faults }, { checksOrder })
}

/** Of all explorations: what they met, and how much. */
const met = new Set<string>()
const sum = { states: 0, transitions: 0 }

function note({ pairs, states, transitions }: Exploration): void {
  for (const pair of pairs) for (const name of pair.split('/')) met.add(name)
  sum.states += states
  sum.transitions += transitions
}

const isLong = process.env['GODWIT_LONG'] !== undefined
const crashes = { sourceCrashes: 1, destinationCrashes: 1 }

/** What may go wrong, in any order and at any moment. */
const ordinary: readonly Partial<Budget>[] = [
  { ...crashes, cuts: 1, failures: 1 },
  { cuts: 1, cancels: 1, destinationCrashes: 1 },
  { cuts: 1, cancels: 1, sourceCrashes: 1 },
  { cuts: 1, duplicates: 1, destinationCrashes: 1 },
  { ...crashes, cuts: 1, strangers: 1 },
  { destinationCrashes: 2, cuts: 1 },
  { ...crashes, failures: 2 },
]
const long: readonly Partial<Budget>[] = [
  { ...crashes, cuts: 2, failures: 1 },
  { ...crashes, cuts: 1, cancels: 2 },
  { ...crashes, cuts: 1, failures: 1, duplicates: 1 },
  { ...crashes, cuts: 1, failures: 1, cancels: 1 },
  { sourceCrashes: 2, destinationCrashes: 2, cuts: 2 },
]
/** A guest that comes whole does so alike in every mode. */
const modes = ['stop-copy', 'post-copy'] as const
/** Each with one of the modes; with both of them, and more, with GODWIT_LONG. */
const budgetsOf = (mode: (typeof modes)[number]): readonly Partial<Budget>[] => {
  if (isLong) return [...ordinary, ...long]
  return ordinary.filter((_, i) => i % 2 === (mode === 'stop-copy' ? 1 : 0))
}
const minutes = 60_000

describe.each(modes)('every moment of %s', (mode) => {
  it.each(budgetsOf(mode))(
    'has one owner at most, and leads to one where the guest is alive: %j',
    (faults) => {
      const exploration = check(mode, full, faults)
      note(exploration)
      expect(exploration.counterexample).toBeUndefined()
    },
    20 * minutes,
  )

  it.each([
    { ...full, asks: false },
    { ...full, sourceRecovers: false },
    { ...full, destinationRecovers: false },
  ])('has one owner at most where sides are not able, or do not wait: %j', (agreed) => {
    const exploration = check(mode, agreed, { ...crashes, cuts: 1, failures: 1 })
    note(exploration)
    expect(exploration.counterexample).toBeUndefined()
  })
})

it('these are all states in which ownership is at stake', () => {
  process.stdout.write(`model: ${sum.states} states, ${sum.transitions} transitions\n`)
  const source = ['releasing', 'keeping', 'released', 'pushed', 'paused', 'reconnecting', 'asking']
  const ends = ['bereaved', 'lost', 'stranded', 'in-doubt', 'taken-over', 'failed', 'completed']
  const destination = ['preparing', 'prepared', 'holding', 'answering', 'owning', 'refusing']
  const later = ['starting', 'filling', 'running', 'discarded', 'resuming', 'down']
  const anew = ['running', 'refused', 'lost', 'prepared', 'unknown']
  const told = anew.map((answer) => `recovering, told ${answer}`)
  const all = [...source, ...ends, ...destination, ...later, ...told, 'recovering, committing']
  expect(all.filter((name) => !met.has(name))).toEqual([])
})

describe('docs/OWNERSHIP.md', () => {
  const path = new URL('../../../docs/OWNERSHIP.md', import.meta.url)

  it.each(modes)('has the table of %s as the model finds it', (mode) => {
    const text = readFileSync(path, 'utf8')
    const [, table] = text.split(`<!-- ${mode} -->\n`)
    expect(table).toBe(`\n${tableOf(planOf(mode, full))}\n\n`)
  })
})

describe('a deliberate mistake is found', () => {
  const found = (mistake: Mistake, checksOrder = true): Counterexample | undefined => {
    const { rules: mistaken, budget } = mistake
    const { counterexample } = check('stop-copy', full, budget, mistaken, checksOrder)
    if (isLong) process.stdout.write(`model: ${mistake.name}\n  ${traceOf(counterexample)}\n`)
    return counterexample
  }

  it.each(mistakes)('$name', (mistake) => {
    expect(found(mistake)?.what).toBe(mistake.found)
    // And it is the mistake that is found.
    expect(check('stop-copy', full, mistake.budget).counterexample).toBeUndefined()
  })

  it.each(mistakes.filter(({ leadsTo }) => leadsTo !== undefined))(
    '$name, and leads to: $leadsTo',
    (mistake) => {
      expect(found(mistake, false)?.what).toBe(mistake.leadsTo)
    },
  )

  it('is told by a shortest way to it', () => {
    const mistake = mistakes.find(({ name }) => name.startsWith('SESSION_UNKNOWN'))!
    const { trace } = found(mistake, false)!
    expect(trace.slice(-13)).toMatchInlineSnapshot(`
      [
        "destination: hears State (session)  [preparing/preparing]",
        "destination: \`prepared\` is durable  [preparing/prepared]",
        "source: hears Ready  [releasing/prepared]",
        "source: \`released\` is durable  [released/prepared]",
        "destination: hears Commit (session)  [released/owning]",
        "the connection is cut  [released/owning]",
        "source: finds the connection lost  [paused/owning]",
        "source: tries again  [reconnecting/owning]",
        "source: dials, and a stranger answers  [reconnecting/owning]",
        "source: hears Preface  [asking/owning]",
        "source: hears Error SESSION_UNKNOWN  [failed/owning]",
        "destination: \`owner\` is durable  [failed/starting]",
        "both sides run the guest",
      ]
    `)
  })
})

function traceOf(counterexample: Counterexample | undefined): string {
  return counterexample?.trace.join('\n  ') ?? 'nothing is found'
}
