/**
 * What cases mean for clauses.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import type { Role } from './case.ts'
import { destinationCases } from './destination-suite.ts'
import { proofs } from './proofs.ts'
import type { CaseResult, ClauseResult, Conformance } from './result.ts'
import { CONFORMANCE_SCHEMA } from './result.ts'
import { sourceCases } from './source-suite.ts'

/** How each clause begins, in the order of `docs/PROTOCOL.md`. */
export const clauseTexts: ReadonlyMap<string, string> = new Map(
  Object.entries(
    JSON.parse(readFileSync(new URL('../clauses.json', import.meta.url), 'utf8')) as Record<
      string,
      string
    >,
  ),
)

/** Name and clauses of every case of a role. */
export function casesOf(
  role: Role,
): readonly { readonly name: string; readonly clauses: readonly string[] }[] {
  return role === 'destination' ? destinationCases : sourceCases
}

/** Everything that is known after a run. */
export function conclude(role: Role, address: string, cases: readonly CaseResult[]): Conformance {
  const clauses = [...clauseTexts].map(([clause, text]) => clauseResult(role, clause, text, cases))
  const count = (outcome: ClauseResult['outcome']): number => {
    return clauses.filter((one) => one.outcome === outcome).length
  }
  const totals = { pass: count('pass'), fail: count('fail'), skipped: count('skipped') }
  return { schema: CONFORMANCE_SCHEMA, role, address, clauses, cases, totals }
}

function clauseResult(
  role: Role,
  clause: string,
  text: string,
  results: readonly CaseResult[],
): ClauseResult {
  const played = results.filter((one) => one.clauses.includes(clause) || blames(one, clause))
  const cases = played.map(({ name }) => name)
  const about = { clause, text, cases }
  if (played.some((one) => blames(one, clause))) return { ...about, outcome: 'fail' }
  if (played.some(({ outcome }) => outcome === 'pass')) return { ...about, outcome: 'pass' }
  return { ...about, outcome: 'skipped', reason: whySkipped(role, clause, played) }
}

/** Whether a case found that this clause was broken. */
function blames({ clauses, failure }: CaseResult, clause: string): boolean {
  if (failure === undefined) return false
  return failure.clause === undefined ? clauses.includes(clause) : failure.clause === clause
}

function whySkipped(role: Role, clause: string, played: readonly CaseResult[]): string {
  const failed = played.find(({ outcome }) => outcome === 'fail')
  if (failed !== undefined) return `${failed.name} failed before it came to that`
  const [first] = played
  if (first !== undefined) return first.reason ?? 'the case was skipped'
  const has = (of: Role): boolean => casesOf(of).some(({ clauses }) => clauses.includes(clause))
  if (has(role)) return 'not played'
  const other = role === 'source' ? 'destination' : 'source'
  if (has(other)) return `seen at a ${other} only`
  const known = proofs.find((one) => one.clause === clause)
  if (known === undefined) return 'there is no case'
  return `not seen from the network; of Godwit itself: ${known.file}, "${known.title}"`
}
