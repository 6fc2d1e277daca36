import { expect, it } from 'vitest'
import { parseQmpLine } from './qmp.ts'

it('tells the greeting, answers and refusals apart', () => {
  expect(parseQmpLine('{"QMP": {"version": {}}}')).toEqual({ type: 'greeting' })
  expect(parseQmpLine('{"return": {"status": "paused"}}')).toEqual({
    type: 'answer',
    value: { status: 'paused' },
  })
  const refused = '{"error": {"class": "GenericError", "desc": "not now"}}'
  expect(parseQmpLine(refused)).toEqual({ type: 'refusal', text: 'not now' })
})

it('puts the time of an event into milliseconds', () => {
  const line =
    '{"timestamp": {"seconds": 1700000000, "microseconds": 250500}, "event": "MIGRATION", ' +
    '"data": {"status": "active"}}'
  expect(parseQmpLine(line)).toEqual({
    type: 'event',
    event: { name: 'MIGRATION', data: { status: 'active' }, atMs: 1_700_000_000_250.5 },
  })
})

it('an event without data has none', () => {
  const line = '{"timestamp": {"seconds": 1, "microseconds": 0}, "event": "STOP"}'
  expect(parseQmpLine(line)).toMatchObject({ event: { name: 'STOP', data: {} } })
})
