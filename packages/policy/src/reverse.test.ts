import { describe, expect, it } from 'vitest'
import { checkReverse, parseReverse } from './reverse.ts'

const usage = expect.objectContaining({ code: 'USAGE' })

describe('--reverse', () => {
  it.each([
    ['checkpoint=10ms', 10],
    ['checkpoint=200', 200],
    ['checkpoint=0.5s', 500],
    ['checkpoint=1h', 3_600_000],
  ])('%s', (text, ms) => expect(parseReverse(text)).toBe(ms))

  it.each([
    '',
    'checkpoint',
    'checkpoint=',
    'checkpoint=9ms',
    'checkpoint=9',
    'checkpoint=61m',
    'log=1s',
    '200ms',
  ])('refuses "%s"', (text) => expect(() => parseReverse(text)).toThrow(usage))

  it('takes a mode with post-copy', () => {
    for (const mode of ['post-copy', 'hybrid'] as const) checkReverse(mode, 'checkpoint=1s')
    for (const mode of ['pre-copy', 'stop-copy'] as const) {
      expect(() => checkReverse(mode, 'checkpoint=1s')).toThrow(usage)
      checkReverse(mode, undefined)
    }
  })
})
