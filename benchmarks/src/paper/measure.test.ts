import type { Report } from '@godwit/core'
import { expect, it } from 'vitest'
import { measuresOf } from './measure.ts'

const competing = { askedBytesPerSecond: 10e6, bytesPerSecond: 4e6, bytes: 4e6, ms: 1000 }
const report: Report = {
  schema: 'godwit.report/1',
  role: 'source',
  sessionId: '00',
  outcome: 'completed',
  mode: 'pre-copy',
  stages: [],
  wireBytes: 5,
  rounds: [],
  totalMs: 1000,
  downtimeMs: 10,
  downtime: { pauseMs: 1, pagesMs: 2, stateMs: 3, resumeMs: 4 },
  reservationMs: 5,
  verifyMs: 6,
  sentBytes: 3,
  resentBytes: 1,
  cpu: { sourceSeconds: 1, destinationSeconds: 2 },
  overheadBytes: { source: 1, destination: 2 },
  pages: {
    raw: 1,
    zero: 0,
    unchanged: 0,
    same: 0,
    reference: 0,
    delta: 0,
    static: 0,
    compressed: 0,
  },
  stop: { rule: 'downtime' },
  competing,
}

it('has what the service got of what it asked for', () => {
  expect(measuresOf(report)).toMatchObject({ serviceShare: 0.4, transferredBytes: 4 })
})

it('a run whose service ended early is none', () => {
  const error = { code: 'CONNECTION_LOST', text: 'it went away' }
  expect(() => measuresOf({ ...report, competing: { ...competing, error } })).toThrow(
    'the service ended early: CONNECTION_LOST: it went away',
  )
})
