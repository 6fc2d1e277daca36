import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { conclude } from './coverage.ts'
import { formatConformance } from './format.ts'
import type { CaseResult, ClauseResult } from './result.ts'
import { conformanceSchema } from './result.ts'

const failure = { expected: 'ERROR', came: 'nothing', said: ['suite  [control] Hello {}'] }

/** One clause after cases that ended like this. */
function verdict(clause: string, ...cases: readonly CaseResult[]): Partial<ClauseResult> {
  const { clauses } = conclude('destination', 'here', cases)
  const { outcome, reason } = clauses.find((one) => one.clause === clause)!
  return reason === undefined ? { outcome } : { outcome, reason }
}

const pass: CaseResult = { name: 'a/b', clauses: ['C3.6', 'C3.7'], outcome: 'pass' }
const skipped: CaseResult = { ...pass, name: 'a/c', outcome: 'skipped', reason: 'no zstd' }
const failed = (clause?: string): CaseResult => {
  const blamed = clause === undefined ? {} : { clause }
  return { ...pass, name: 'a/d', outcome: 'fail', failure: { ...failure, ...blamed } }
}

describe('a clause', () => {
  it('passes where a case did, whatever was skipped', () => {
    expect(verdict('C3.6', skipped, pass)).toEqual({ outcome: 'pass' })
    expect(verdict('C3.6', skipped)).toEqual({ outcome: 'skipped', reason: 'no zstd' })
  })

  it('fails where it was broken, and only there', () => {
    expect(verdict('C3.6', pass, failed('C3.6'))).toEqual({ outcome: 'fail' })
    const reason = 'a/d failed before it came to that'
    expect(verdict('C3.7', failed('C3.6'))).toEqual({ outcome: 'skipped', reason })
    expect(verdict('C3.7', pass, failed('C3.6'))).toEqual({ outcome: 'pass' })
  })

  it('fails in a case that is not about it', () => {
    expect(verdict('C2.3', failed('C2.3'))).toEqual({ outcome: 'fail' })
  })

  it('fails with its case where nobody knows which it was', () => {
    expect(verdict('C3.7', failed())).toEqual({ outcome: 'fail' })
  })

  it.each([
    ['C3.6', /^not played$/],
    ['C6.12', /^seen at a source only$/],
    ['C7.1', /^not seen from the network; of Godwit itself: .*one-owner/],
  ])('tells why nobody looked at it: %s', (clause, reason) => {
    expect(verdict(clause)).toEqual({ outcome: 'skipped', reason: expect.stringMatching(reason) })
  })
})

describe('a result', () => {
  const result = conclude('source', '127.0.0.1:7000', [pass, skipped, failed('C3.7')])

  it('is as its schema says, with a verdict for every clause', () => {
    expect(v.is(conformanceSchema, JSON.parse(JSON.stringify(result)))).toBe(true)
    const { pass: passes, fail, skipped: skips } = result.totals
    expect([passes, fail]).toEqual([1, 1])
    expect(passes + fail + skips).toBe(result.clauses.length)
  })

  it('reads like this', () => {
    const text = formatConformance(result)
    expect(text).toMatch(/^C3\.6 +pass +the flags are 0 \(WIRE_FLAGS\);$/m)
    expect(text).toMatch(/^C3\.7 +FAIL +the sequence is the next one/m)
    expect(text).toMatch(/\nFAIL a\/d \(C3\.7\)\n {2}expected: ERROR\n {2}came: +nothing\n/)
    expect(text).toMatch(/ {4}suite {2}\[control\] Hello \{\}\n/)
    expect(text).toMatch(/\n1 clauses passed, 1 failed, \d+ were skipped; 3 cases, of which 1 /)
  })
})
