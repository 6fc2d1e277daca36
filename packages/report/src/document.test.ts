import { GodwitError } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { DOCUMENT_BYTES_MAX, readDocument } from './document.ts'

const report = {
  schema: 'godwit.report/1',
  role: 'source',
  outcome: 'failed',
  stages: [],
  wireBytes: 0,
  rounds: [],
}
const machine = { cpu: 'c', cores: 2, memoryBytes: 1, kernel: '6', node: 'v24' }
const bench = { schema: 'godwit.bench/1', name: 'loopback', machine, cases: [] }

describe('a file', () => {
  it.each([
    [report, 'migration'],
    [{ ...report, later: 1 }, 'migration'],
    [bench, 'benchmark'],
  ])('is read: %#', (value, kind) => {
    expect(readDocument('a.json', JSON.stringify(value))).toMatchObject({ kind, name: 'a.json' })
  })

  it.each([
    ['', 'is not a report: it is no JSON; `godwit send --json FILE` writes one'],
    ['<html>', 'is not a report: it is no JSON; `godwit send --json FILE` writes one'],
    ['[]', 'is not a report: it has no schema; `godwit send --json FILE` writes one'],
    ['null', 'is not a report: it has no schema; `godwit send --json FILE` writes one'],
    ['{"schema":1}', 'is not a report: it has no schema; `godwit send --json FILE` writes one'],
    [
      '{"schema":"godwit.simulation/1"}',
      'is not a report: its schema is godwit.simulation/1; `godwit send --json FILE` writes one',
    ],
    [
      '{"schema":"godwit.report/2"}',
      'is godwit.report/2; this release reads godwit.report/1: take the one that wrote it',
    ],
    [
      '{"schema":"godwit.bench/17"}',
      'is godwit.bench/17; this release reads godwit.bench/1: take the one that wrote it',
    ],
    [
      JSON.stringify({ ...report, wireBytes: -1 }),
      'is not a valid godwit.report/1: wireBytes: Invalid value: Expected >=0 but received -1',
    ],
    [
      JSON.stringify({ ...report, role: '\u001b[2J\n' }),
      'is not a valid godwit.report/1: role: Invalid type: ' +
        'Expected ("source" | "destination") but received "\ufffd[2J\ufffd"',
    ],
    [
      JSON.stringify({ ...bench, cases: [{}] }),
      'is not a valid godwit.bench/1: cases.0.name: Invalid key: ' +
        'Expected "name" but received undefined',
    ],
    [' '.repeat(DOCUMENT_BYTES_MAX + 1), 'is longer than 16 MiB'],
  ])('is refused in one line that names it: %#', (text, reason) => {
    const read = () => readDocument('a.json', text)
    expect(read).toThrow(GodwitError)
    const error = { code: 'FILE_UNREADABLE', message: `a.json ${reason}` }
    expect(read).toThrow(expect.objectContaining(error))
  })
})
