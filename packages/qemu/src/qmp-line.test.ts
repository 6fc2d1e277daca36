import { GodwitError } from '@godwit/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseQmpLine } from './qmp-line.ts'

it('tells the greeting, answers and refusals apart', () => {
  const greeting = '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}}}'
  expect(parseQmpLine(greeting)).toEqual({ type: 'greeting', version: '7.2.22' })
  expect(parseQmpLine('{"return": {"status": "paused"}, "id": 4}')).toEqual({
    type: 'answer',
    id: 4,
    value: { status: 'paused' },
  })
  const refused = '{"error": {"class": "GenericError", "desc": "not now"}, "id": 5}'
  expect(parseQmpLine(refused)).toEqual({
    type: 'refusal',
    id: 5,
    kind: 'GenericError',
    text: 'not now',
  })
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

it.each(['220 mail.example ESMTP', '[]', '7', '{"jsonrpc": "2.0"}', 'x'.repeat(100)])(
  'what is not QMP is told: %s',
  (line) => {
    expect(() => parseQmpLine(line)).toThrow(/not a QMP socket/)
  },
)

it('anything else is a line or a typed error', () => {
  const value = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .dictionary(fc.constantFrom('QMP', 'event', 'error', 'return', 'id'), fc.jsonValue())
      .map((fields) => JSON.stringify(fields)),
  )
  fc.assert(
    fc.property(value, (line) => {
      const parse = (): string => {
        try {
          return parseQmpLine(line).type
        } catch (error) {
          return error instanceof GodwitError ? error.code : String(error)
        }
      }
      expect(parse()).toMatch(/^(greeting|event|answer|refusal|GUEST_FAILED)$/)
    }),
  )
})
