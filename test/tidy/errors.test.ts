import type { ErrorCode, Report } from '@godwit/core'
import { GodwitError, REPORT_SCHEMA } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { ExitCode, exitCodeOf, exitCodeOfError } from '../../packages/cli/src/exit-code.ts'
import { tables } from './markdown.ts'
import { readText } from './repository.ts'

/** The codes in the groups of a source: `// group` lines and `| 'CODE'` lines. */
function groupsOf(source: string): readonly string[] {
  const union = /export type ErrorCode =\n([^]*?)\n\n/.exec(source)![1]!
  return union.split('\n').map((line) => line.trim().replace(/^(?:\/\/ |\| ')|'$/g, ''))
}

const [exits, table] = tables(readText('docs/ERRORS.md'))
/** Rows of codes; the others are the groups' titles. */
const rows = table!.filter(([, meaning]) => meaning !== '')

function report(outcome: Report['outcome'], code: ErrorCode): Report {
  const error = { code, text: '', phase: '' }
  return {
    schema: REPORT_SCHEMA,
    role: 'source',
    outcome,
    stages: [],
    wireBytes: 0,
    rounds: [],
    error,
  }
}

describe('docs/ERRORS.md', () => {
  it('has every code in the groups of core', () => {
    const documented = table!.map(([code]) => code!.replaceAll('*', ''))
    expect(documented).toEqual(groupsOf(readText('packages/core/src/errors.ts')))
  })

  it('says of each code what it means, what to do, and what `godwit` exits with', () => {
    const thin = rows.filter(([, meaning, advice]) => meaning!.length < 20 || advice!.length < 10)
    expect(thin).toEqual([])
  })

  it('has all exit codes', () => {
    expect(exits!.map(([number]) => Number(number))).toEqual(Object.values(ExitCode))
  })

  it('has exit codes that `godwit` would use', () => {
    const wrong = rows.filter(([name, , , exit]) => {
      const code = name as ErrorCode
      const possible: readonly number[] = [
        exitCodeOfError(new GodwitError(code, '')),
        exitCodeOf(report('failed', code)),
        ...(code.startsWith('VERIFY_') ? [exitCodeOf(report('completed', code))] : []),
      ]
      const stated = (exit!.match(/\d/g) ?? []).map(Number)
      return stated.length === 0 || stated.some((number) => !possible.includes(number))
    })
    expect(wrong).toEqual([])
  })
})
