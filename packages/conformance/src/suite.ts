/**
 * Plays cases, one after the other, and says of each how it ended.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import type { Case } from './case.ts'
import { Failure, Skip } from './failure.ts'
import type { CaseResult } from './result.ts'
import type { Trace } from './trace.ts'

/** What is played, and who is told. */
export interface Play<Context> {
  readonly cases: readonly Case<Context>[]
  /** Anew for every case. */
  readonly context: (trace: Trace, one: Case<Context>) => Context
  readonly trace: Trace
  /** After every case, whatever became of it. */
  readonly cleanUp: (one: Case<Context>) => Promise<void>
  readonly began?: ((one: Case<Context>, index: number) => void) | undefined
  readonly ended?: ((result: CaseResult) => void) | undefined
}

/** In order. */
export async function playAll<Context>(play: Play<Context>): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = []
  for (const [index, one] of play.cases.entries()) {
    play.began?.(one, index)
    const result = await playOne(play, one)
    results.push(result)
    play.ended?.(result)
  }
  return results
}

async function playOne<Context>(play: Play<Context>, one: Case<Context>): Promise<CaseResult> {
  const { name, clauses } = one
  const { trace } = play
  trace.clear()
  const about = { name, clauses: [...clauses] }
  try {
    await one.play(play.context(trace, one))
    return { ...about, outcome: 'pass' }
  } catch (thrown) {
    if (thrown instanceof Skip) return { ...about, outcome: 'skipped', reason: thrown.message }
    // Nobody is there to be tested.
    if (!(thrown instanceof Failure)) {
      if (thrown instanceof GodwitError) throw thrown
      const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
      return { ...about, outcome: 'fail', failure: unexpected(text, trace) }
    }
    const { clause, expected, came } = thrown
    const blamed = clause === undefined ? {} : { clause }
    return {
      ...about,
      outcome: 'fail',
      failure: { ...blamed, expected, came, said: [...trace.lines] },
    }
  } finally {
    await play.cleanUp(one)
  }
}

function unexpected(came: string, trace: Trace): NonNullable<CaseResult['failure']> {
  return { expected: 'the case to end', came, said: [...trace.lines] }
}
