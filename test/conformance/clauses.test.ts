import { clauseTexts, destinationCases, proofs, sourceCases } from '@godwit/conformance'
import { describe, expect, it } from 'vitest'
import { clausesOf } from '../tidy/clauses.ts'
import { hasFile, readText } from '../tidy/repository.ts'

const clauses = clausesOf(readText('docs/PROTOCOL.md')).map(({ id }) => id)
const suites = { destination: destinationCases, source: sourceCases }
const inCases = Object.values(suites).flatMap((cases) => cases.flatMap((one) => one.clauses))
const inProofs = proofs.map(({ clause }) => clause)

describe('every clause of docs/PROTOCOL.md', () => {
  it('has a case or a proof', () => {
    const known = new Set([...inCases, ...inProofs])
    expect(clauses.filter((clause) => !known.has(clause))).toEqual([])
  })

  it('is one that there is', () => {
    const known = new Set(clauses)
    expect([...inCases, ...inProofs].filter((clause) => !known.has(clause))).toEqual([])
  })

  it('has a proof only where no case can see it', () => {
    expect(inProofs.filter((clause) => inCases.includes(clause))).toEqual([])
  })

  it('has a text', () => {
    expect([...clauseTexts.keys()]).toEqual(clauses)
    expect([...clauseTexts.values()].filter((text) => text.length < 4)).toEqual([])
  })
})

describe('a proof', () => {
  it.each(proofs.map((one) => [one.clause, one.file, one.title] as const))(
    '%s is there: %s, %s',
    (_clause, file, title) => {
      expect(hasFile(file)).toBe(true)
      const [before, after] = file.endsWith('.json') ? ['"name": "', '"'] : ["'", "'"]
      expect(readText(file)).toContain(`${before}${title}${after}`)
    },
  )
})

describe.each(Object.entries(suites))('the cases for a %s', (_role, cases) => {
  it('have names of their own, and clauses, each once', () => {
    const names = cases.map(({ name }) => name)
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
    const wrong = cases.filter((one) => new Set(one.clauses).size !== one.clauses.length)
    expect(wrong.map(({ name }) => name)).toEqual([])
    expect(cases.filter((one) => one.clauses.length === 0)).toEqual([])
  })
})
