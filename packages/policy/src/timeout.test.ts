import { describe, expect, it } from 'vitest'
import { checkTimeout, parseTimeout } from './timeout.ts'

const usage = expect.objectContaining({ code: 'USAGE' })

describe('--timeout', () => {
  it.each([
    ['60s', 60_000, 'cancel'],
    ['1500ms:stop', 1500, 'stop'],
    ['0.5s:post-copy', 500, 'post-copy'],
    ['2m:cancel', 120_000, 'cancel'],
  ] as const)('%s', (text, ms, action) => {
    expect(parseTimeout(text)).toEqual({ ms, action })
  })

  it.each([
    '',
    ':stop',
    '0s',
    '-1s:stop',
    '60',
    'stop',
    '1s:',
    '1s:suspend',
    '1s:stop:cancel',
    '1s:Stop',
    '900h',
    '1s:__proto__',
  ])('refuses "%s"', (text) => expect(() => parseTimeout(text)).toThrow(usage))

  it.each([
    ['hybrid', 'post-copy'],
    ['pre-copy', 'stop'],
    ['hybrid', 'stop'],
    ['pre-copy', 'cancel'],
    ['stop-copy', 'cancel'],
    ['post-copy', 'cancel'],
  ] as const)('mode %s has action %s', (mode, action) => {
    expect(() => checkTimeout(mode, `1s:${action}`)).not.toThrow()
  })

  it.each([
    ['pre-copy', 'post-copy'],
    ['stop-copy', 'post-copy'],
    ['post-copy', 'post-copy'],
    ['stop-copy', 'stop'],
    ['post-copy', 'stop'],
  ] as const)('mode %s has no action %s', (mode, action) => {
    expect(() => checkTimeout(mode, `1s:${action}`)).toThrow(usage)
    expect(() => checkTimeout(mode, undefined)).not.toThrow()
  })
})
