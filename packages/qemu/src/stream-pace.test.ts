import { MIB } from '@godwit/core'
import { expect, test } from 'vitest'
import { ROUND_BYTES_MIN, readAheadBytes } from './stream-pace.ts'

test('little is read ahead when little is left', () => {
  expect(readAheadBytes(0, false)).toBe(8 * MIB)
  expect(readAheadBytes(64 * MIB, false)).toBe(8 * MIB)
  expect(readAheadBytes(200 * MIB, false)).toBe(25 * MIB)
  expect(readAheadBytes(10_000 * MIB, false)).toBe(64 * MIB)
})

test('much is read ahead once the machine stands', () => {
  expect(readAheadBytes(0, true)).toBe(64 * MIB)
})

test('a round that is worth it is never more than may be read ahead', () => {
  expect(ROUND_BYTES_MIN).toBeLessThanOrEqual(readAheadBytes(0, false))
})
