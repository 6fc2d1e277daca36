import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { printable, printableJson, printableLines } from './printable.ts'

const any = fc.string({ unit: 'binary', maxLength: 40 })
/** What a terminal obeys, or takes for the end of a line. */
const obeyed = /(?!\n)[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u

describe('what is printed', () => {
  it('of a text has no control character, and no line of its own', () => {
    expect(printable('a\u001b[2J\r\nb\tc\u009b1m\u202ed')).toBe('a?[2J? b c?1m?d')
    expect(printable('Zugv\u00f6gel \u6e21\u308a\u9ce5 \u{1F426}')).toBe(
      'Zugv\u00f6gel \u6e21\u308a\u9ce5 \u{1F426}',
    )
    fc.assert(fc.property(any, (text) => !/\n/.test(printable(text))))
    fc.assert(fc.property(any, (text) => !obeyed.test(printable(text))))
  })

  it('of several lines has the lines', () => {
    expect(printableLines('a\u001b\nb\r\n')).toBe('a?\nb?\n')
    fc.assert(fc.property(any, (text) => !obeyed.test(printableLines(text))))
  })

  it('as JSON is the same value', () => {
    expect(printableJson({ a: '\u001b\u009b' })).toBe('{"a":"\\u001b\\u009b"}')
    fc.assert(
      fc.property(any, (text) => {
        const json = printableJson([text], 2)
        expect(JSON.parse(json)).toEqual([text])
        expect(json).not.toMatch(obeyed)
      }),
    )
  })
})
