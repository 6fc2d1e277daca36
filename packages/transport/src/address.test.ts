import { describe, expect, test } from 'vitest'
import { formatHostPort, isLoopback, parseAddress, requireSecureOrLoopback } from './address.ts'

describe('parseAddress', () => {
  test.each([
    ['127.0.0.1:7000', { transport: 'tcp', host: '127.0.0.1', port: 7000 }],
    ['[::1]:7000', { transport: 'tcp', host: '::1', port: 7000 }],
    ['build-host.example:1', { transport: 'tcp', host: 'build-host.example', port: 1 }],
    ['0.0.0.0:0', { transport: 'tcp', host: '0.0.0.0', port: 0 }],
    ['ws://localhost:65535', { transport: 'ws', host: 'localhost', port: 65535 }],
    ['ws://[::1]:80/', { transport: 'ws', host: '::1', port: 80 }],
  ])('%s', (text, address) => {
    expect(parseAddress(text)).toEqual(address)
  })

  test.each([
    '',
    'localhost',
    '7000',
    ':7000',
    'host:65536',
    'host:-1',
    'host:70a',
    '::1:7000',
    '[host]:7000',
    'host:7000/',
    'ws://host:7000/path',
    'wss://host:7000',
    'http://host:7000',
    'user@host:7000',
    ' host:7000',
  ])('"%s" is refused with an example', (text) => {
    expect(() => parseAddress(text)).toThrow(
      expect.objectContaining({
        code: 'ADDRESS_INVALID',
        message: expect.stringContaining('127.0.0.1:7000'),
      }),
    )
  })
})

test.each([
  ['127.0.0.1', true],
  ['127.255.0.3', true],
  ['::1', true],
  ['0:0:0:0:0:0:0:1', true],
  ['localhost', true],
  ['LOCALHOST', true],
  ['0.0.0.0', false],
  ['::', false],
  ['::2', false],
  ['fe80::1%lo', false],
  ['128.0.0.1', false],
  ['127.0.0.1.example.com', false],
  ['localhost.example.com', false],
])('isLoopback(%s) is %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected)
})

test('only loopback goes without --insecure', () => {
  expect(() => requireSecureOrLoopback('127.0.0.1', false)).not.toThrow()
  expect(() => requireSecureOrLoopback('0.0.0.0', true)).not.toThrow()
  expect(() => requireSecureOrLoopback('0.0.0.0', false)).toThrow(
    expect.objectContaining({
      code: 'INSECURE_ADDRESS',
      message: expect.stringContaining('--insecure'),
    }),
  )
})

test('an IPv6 host is written in brackets', () => {
  expect(formatHostPort('::1', 7000)).toBe('[::1]:7000')
  expect(formatHostPort('127.0.0.1', 7000)).toBe('127.0.0.1:7000')
})
