import type { Report } from '@godwit/core'
import { expect, it } from 'vitest'
import type { Document } from './document.ts'
import { runsOf } from './run.ts'

function told(name: string, role: Report['role'], sessionId?: string): Document {
  const report: Report = {
    schema: 'godwit.report/1',
    role,
    ...(sessionId === undefined ? {} : { sessionId }),
    outcome: 'completed',
    stages: [],
    wireBytes: 0,
    rounds: [],
  }
  return { kind: 'migration', name, report }
}

const [first, second] = ['a'.repeat(32), 'b'.repeat(32)]

/** Labels, and the numbers of the reports of each run. */
function shape(documents: readonly Document[]) {
  return runsOf(documents).map(({ label, main, destination }) =>
    destination === undefined ? [label, main.index] : [label, main.index, destination.index],
  )
}

it('reports of both sides of a session are one run', () => {
  const documents = [
    told('there/b.json', 'destination', second),
    told('a.json', 'source', first),
    told('b.json', 'source', second),
    told('c.json', 'destination', first),
  ]
  expect(shape(documents)).toEqual([
    ['a', 1, 3],
    ['b', 2, 0],
  ])
})

it('what has no other side stands alone', () => {
  const documents = [
    told('a.json', 'source'),
    told('b.json', 'destination'),
    told('c.json', 'destination', first),
    told('d.json', 'source', second),
  ]
  expect(shape(documents)).toEqual([
    ['a', 0],
    ['b', 1],
    ['c', 2],
    ['d', 3],
  ])
})

it('a report that is there twice is two runs, told apart by their labels', () => {
  const documents = [
    told('x/a.json', 'source', first),
    told('y/a.json', 'source', first),
    told('d.json', 'destination', first),
  ]
  expect(shape(documents)).toEqual([
    ['a', 0, 2],
    ['a (2)', 1],
  ])
})
