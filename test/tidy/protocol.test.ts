import { ANSWER, ANSWER_BYTES, HAIL, HAIL_BYTES, Method, RECORD_BYTES_MAX } from '@godwit/seal'
import {
  BATCH,
  BATCH_ENTRIES_MAX,
  BATCH_HEADER_BYTES,
  BATCH_PAYLOAD_BYTES_MAX,
  BatchCompression,
  ChannelRole,
  ENTRY,
  ENTRY_BYTES,
  FRAME,
  FRAME_HEADER_BYTES,
  FrameType,
  MAGIC,
  OPTIONAL_BODY_BYTES_MAX,
  PREFACE,
  PREFACE_BYTES,
  PageEncoding,
  ROUNDS_MAX,
  WIRE_VERSION,
  errorNumbers,
  frameRule,
} from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import type { Row } from './markdown.ts'
import { numberOf, section, tables } from './markdown.ts'
import { readText } from './repository.ts'

const document = readText('docs/PROTOCOL.md')
const [preface] = tables(section(document, '2. Preface'))
const [frame, types] = tables(section(document, '3. Frames'))
const [batch, entry] = tables(section(document, '5. Page batches'))
const [errors] = tables(section(document, '8. Errors'))
const [hail, answer] = tables(section(document, '12. Authentication and sealing'))

type Field = readonly [offset: number, bytes: number, name: string]

/** Fields of a layout with their widths; reserved neighbours are one field. */
function fieldsOf(layout: Readonly<Record<string, number>>, byteLength: number): readonly Field[] {
  const starts = Object.entries(layout)
    .map(([name, offset]) => [offset, name.replace(/^reserved\d+$/, 'reserved')] as const)
    .sort(([a], [b]) => a - b)
    .filter(([, name], index, all) => name !== 'reserved' || all[index - 1]?.[1] !== name)
  return starts.map(([offset, name], index) => {
    return [offset, (starts[index + 1]?.[0] ?? byteLength) - offset, name]
  })
}

function fieldsIn(table: readonly Row[] | undefined): readonly Field[] {
  return table!.map(([offset, bytes, name]) => [numberOf(offset!), numberOf(bytes!), name!])
}

function meaning(table: readonly Row[] | undefined, name: string): string {
  return table!.find((row) => row[2] === name)![3]!
}

/** `1 raw, 2 zero (3 delta: reserved)` -> the names by number, in lower case. */
function numbersIn(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...text.matchAll(/(\d+) ([A-Za-z][\w-]*)/g)].map(([, number, name]) => [number, plain(name!)]),
  )
}

/** The same of a table of constants; `Invalid` is left out. */
function numbersOf(constants: Readonly<Record<string, number>>): Readonly<Record<string, string>> {
  const entries = Object.entries(constants).filter(([name]) => name !== 'Invalid')
  return Object.fromEntries(
    entries.map(([name, n]) => [`${n}`, plain(name.replace('Reserved', ''))]),
  )
}

function plain(name: string): string {
  return name.replaceAll('-', '').toLowerCase()
}

function shout(name: string): string {
  return name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()
}

describe('docs/PROTOCOL.md', () => {
  it.each([
    ['preface', preface, fieldsOf(PREFACE, PREFACE_BYTES)],
    ['frame header', frame, fieldsOf(FRAME, FRAME_HEADER_BYTES)],
    ['batch header', batch, fieldsOf(BATCH, BATCH_HEADER_BYTES)],
    ['batch entry', entry, fieldsOf(ENTRY, ENTRY_BYTES)],
    ['hail', hail, fieldsOf(HAIL, HAIL_BYTES)],
    ['answer', answer, fieldsOf(ANSWER, ANSWER_BYTES)],
  ])('has the offsets and widths of the %s', (_name, table, fields) => {
    expect(fieldsIn(table)).toEqual(fields)
  })

  it('has the values of small fields', () => {
    const magic = Array.from(MAGIC, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
    expect(meaning(preface, 'magic').toLowerCase()).toBe(magic)
    expect(meaning(preface, 'version')).toMatch(new RegExp(`: ${WIRE_VERSION}$`))
    expect(numbersIn(meaning(preface, 'role'))).toEqual(numbersOf(ChannelRole))
    expect(numbersIn(meaning(entry, 'encoding'))).toEqual(numbersOf(PageEncoding))
    expect(numbersIn(meaning(batch, 'compression'))).toEqual(numbersOf(BatchCompression))
  })

  it('has the methods and the limit of records', () => {
    expect(meaning(hail, 'method')).toBe('1 pre-shared key, 2 TLS, 3 session')
    expect([Method.Psk, Method.Tls, Method.Session]).toEqual([1, 2, 3])
    const limit = `1 to ${RECORD_BYTES_MAX.toLocaleString('en-US')};`
    expect(section(document, '12. Authentication and sealing')).toContain(limit)
  })

  it('has the limits of batches, rounds and optional frames', () => {
    const inWords = (value: number): string => value.toLocaleString('en-US')
    expect(meaning(batch, 'entryCount')).toBe(`1 to ${BATCH_ENTRIES_MAX}`)
    expect(meaning(batch, 'payloadBytes')).toContain(`at most ${inWords(BATCH_PAYLOAD_BYTES_MAX)}`)
    const limits = section(document, '9. Limits')
    expect(limits).toContain(`up to ${inWords(ROUNDS_MAX)};`)
    expect(limits).toContain(`at most ${inWords(OPTIONAL_BODY_BYTES_MAX)}`)
  })

  it('has the frame types with their channels and bounds', () => {
    const roleNames = numbersOf(ChannelRole)
    const channels = (roles: readonly ChannelRole[]): string => {
      return roles.map((role) => roleNames[role]).join(', ')
    }
    const known = Object.entries(FrameType).map(([name, type]) => {
      const rule = frameRule(type)
      if (rule === undefined) return [type, '(invalid)', '', 0]
      return [type, shout(name), channels(rule.channels), rule.bodyBytesMax]
    })
    const rows = types!.map(([type, name, channel, _from, bytes]) => {
      return [numberOf(type!), name, channel, numberOf(bytes!)]
    })
    expect(rows).toEqual(known)
  })

  it('has the error codes', () => {
    const rows = errors!.map(([number, name]) => [name, numberOf(number!)])
    expect(rows).toEqual(Object.entries(errorNumbers))
  })
})

describe('what compares them', () => {
  it('sees widths and merges reserved bytes', () => {
    expect(fieldsOf({ a: 0, reserved2: 2, reserved3: 3, b: 4 }, 6)).toEqual([
      [0, 2, 'a'],
      [2, 2, 'reserved'],
      [4, 2, 'b'],
    ])
  })

  it('reads tables and lists of numbers', () => {
    const text = '# A\n\n| x | y |\n|---|---|\n| 1,024 | `b` |\n\n# B\n'
    expect(tables(section(text, 'A'))).toEqual([[['1,024', 'b']]])
    expect(numbersIn('1 raw (2 same-as: reserved)')).toEqual({ 1: 'raw', 2: 'sameas' })
  })
})
