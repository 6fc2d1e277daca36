import { MIB } from '@godwit/core'
import { expect, test } from 'vitest'
import { readAheadBytes, roundBytes } from './stream-pace.ts'

test('little is read ahead when little is left', () => {
  expect(readAheadBytes(0, false)).toBe(2 * MIB)
  expect(readAheadBytes(40 * MIB, false)).toBe(5 * MIB)
  expect(readAheadBytes(100 * MIB, false)).toBe(8 * MIB)
  expect(readAheadBytes(144 * MIB, false)).toBe(8 * MIB)
  expect(readAheadBytes(200 * MIB, false)).toBe(36 * MIB)
  expect(readAheadBytes(10_000 * MIB, false)).toBe(256 * MIB)
})

test('much is read ahead once the machine stands', () => {
  expect(readAheadBytes(0, true)).toBe(256 * MIB)
})

test('a round begins before no more may be read', () => {
  expect(roundBytes(readAheadBytes(0, false))).toBe(MIB)
  expect(roundBytes(readAheadBytes(10_000 * MIB, false))).toBe(4 * MIB)
})
