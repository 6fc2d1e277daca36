import { describe, expect, it } from 'vitest'
import { clausesOf } from './clauses.ts'
import { readText } from './repository.ts'

/** Numbers of clauses that are gone: never used again. */
const retired: readonly string[] = []

/** What is wrong with the numbers of a document. */
function objections(document: string, gone: readonly string[]): readonly string[] {
  const clauses = clausesOf(document)
  const ids = clauses.map((clause) => clause.id)
  const used = new Set([...ids, ...gone])
  return [
    ...ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `${id} twice`),
    ...ids.filter((id) => gone.includes(id)).map((id) => `${id} was retired`),
    ...clauses.filter(({ section, place }) => section !== place).map(({ id }) => `${id} strayed`),
    ...clauses.flatMap(({ section, number }) => {
      const before = `C${section}.${number - 1}`
      return number === 1 || used.has(before) ? [] : [`${before} is missing`]
    }),
  ]
}

describe('the clauses of docs/PROTOCOL.md', () => {
  it('have numbers of their sections, each once and none left out', () => {
    const document = readText('docs/PROTOCOL.md')
    expect(objections(document, retired)).toEqual([])
    expect(clausesOf(document).length).toBeGreaterThan(290)
  })

  it.each([
    ['## 3. A\n**[C3.1]** a **[C3.1]** b', [], 'C3.1 twice'],
    ['## 3. A\n**[C3.1]** a', ['C3.1'], 'C3.1 was retired'],
    ['## 3. A\n**[C4.1]** a', [], 'C4.1 strayed'],
    ['## 3. A\n**[C3.2]** a', [], 'C3.1 is missing'],
  ])('would be noticed: %#', (document, gone, objection) => {
    expect(objections(document, gone)).toEqual([objection])
  })

  it('may be retired, and stand in any order', () => {
    expect(objections('## 3. A\n**[C3.3]** a\n### b\n**[C3.1]** c', ['C3.2'])).toEqual([])
  })
})
