import type { Report } from '@godwit/core'
import { REPORT_SCHEMA } from '@godwit/core'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import type { SendOptions } from './index.ts'
import { receive, send } from './index.ts'
import { reportSchema } from './report-schema.ts'

const memoryBytes = 1 << 20

/** Memory of which every fourth page is random-looking, the others zero. */
function fill(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(memoryBytes)
  for (let at = 0; at < memoryBytes; at += 4 * 4096) bytes.fill(1 + (at >> 14), at, at + 4096)
  return bytes
}

/** The reports of both sides of one real migration over loopback. */
async function migrate(options: Omit<SendOptions, 'to'>, bytesMax: number): Promise<Report[]> {
  const reports: Report[] = []
  const receiver = await receive(
    {},
    {
      listen: '127.0.0.1:0',
      memoryBytesMax: bytesMax,
      onReport: (report) => reports.push(report),
    },
  )
  try {
    const guest = { memory: fill(), pause: () => {}, resume: () => {} }
    reports.unshift(await send(guest, { to: receiver.address, ...options }))
  } finally {
    await receiver.close()
  }
  return reports
}

/** What a script gets to read. */
function written(report: Report): unknown {
  return JSON.parse(JSON.stringify(report))
}

describe('reportSchema', () => {
  it.each<[string, Omit<SendOptions, 'to'>]>([
    ['pre-copy', {}],
    ['stop-copy', { mode: 'stop-copy', encode: 'raw', verify: 'none' }],
    ['sha256', { verify: 'sha256', hash: 'sha256', pageBytes: 65_536 }],
  ])('knows every field of both reports: %s', async (_name, options) => {
    const reports = await migrate(options, memoryBytes)
    expect(reports.map(({ role, outcome }) => [role, outcome])).toEqual([
      ['source', 'completed'],
      ['destination', 'completed'],
    ])
    expect(reports[0]!.sessionId).toMatch(/^[0-9a-f]{32}$/)
    expect(reports[1]!.sessionId).toBe(reports[0]!.sessionId)
    // Parsing drops what the schema does not list, so equality means that nothing is missing in it.
    for (const report of reports) {
      expect(v.parse(reportSchema, written(report))).toEqual(written(report))
    }
  })

  it('knows the reports of a migration that was refused', async () => {
    const reports = await migrate({}, memoryBytes - 1)
    expect(reports.map(({ outcome, error }) => [outcome, error?.code])).toEqual([
      ['failed', 'NO_ROOM'],
      ['failed', 'NO_ROOM'],
    ])
    for (const report of reports) {
      expect(v.parse(reportSchema, written(report))).toEqual(written(report))
    }
  })

  it.each<[string, object]>([
    ['another schema id', { schema: 'godwit.report/2' }],
    ['an error code nobody knows', { error: { code: 'OOPS', text: '', phase: '' } }],
    ['negative bytes', { wireBytes: -1 }],
    ['half a byte', { wireBytes: 0.5 }],
    ['a number that is not finite', { totalMs: Infinity }],
    [
      'a digest that is not one',
      { memory: { sourceDigest: '', destinationDigest: '', equal: true } },
    ],
    ['a field without its value', { mode: undefined }],
  ])('refuses %s', (_name, change) => {
    const report: Report = {
      schema: REPORT_SCHEMA,
      role: 'source',
      outcome: 'failed',
      stages: [],
      wireBytes: 0,
      rounds: [],
    }
    expect(v.is(reportSchema, report)).toBe(true)
    expect(v.is(reportSchema, { ...report, ...change })).toBe(false)
  })
})
