/**
 * A run as text: a line per clause, totals, and everything about what failed.
 *
 * @module
 */
import type { CaseResult, ClauseResult, Conformance } from './result.ts'

const words = { pass: 'pass', fail: 'FAIL', skipped: 'skipped' } as const

/** All of it, without a line break at the end. */
export function formatConformance({ clauses, cases, totals }: Conformance): string {
  const failed = cases.filter(({ outcome }) => outcome === 'fail')
  const { pass, fail, skipped } = totals
  return [
    ...clauses.map(formatClause),
    ...failed.map(formatFailure),
    '',
    `${pass} clauses passed, ${fail} failed, ${skipped} were skipped; ` +
      `${cases.length} cases, of which ${failed.length} failed`,
  ].join('\n')
}

function formatClause({ clause, text, outcome, reason }: ClauseResult): string {
  const why = reason === undefined ? '' : ` (${reason})`
  return `${clause.padEnd(7)} ${words[outcome].padEnd(8)} ${text}${why}`
}

/** What was sent, what was expected, what came. */
export function formatFailure({ name, clauses, failure }: CaseResult): string {
  const { clause, expected = '', came = '', said = [] } = failure ?? {}
  return [
    '',
    `FAIL ${name} (${clause ?? clauses.join(', ')})`,
    `  expected: ${expected}`,
    `  came:     ${came}`,
    '  what was said:',
    ...said.map((line) => `    ${line}`),
  ].join('\n')
}

/** A line when a case is over. */
export function formatCase({ name, outcome, reason }: CaseResult): string {
  return `${words[outcome].padEnd(8)} ${name}${reason === undefined ? '' : ` (${reason})`}`
}
