import { MIB } from '@godwit/core'
import { expect, test } from 'vitest'
import { goesWithin, ROUND_BYTES_MIN, readAheadBytes } from './stream-pace.ts'

test('little is read ahead when little is left', () => {
  expect(readAheadBytes(0, false)).toBe(8 * MIB)
  expect(readAheadBytes(144 * MIB, false)).toBe(8 * MIB)
  expect(readAheadBytes(200 * MIB, false)).toBe(36 * MIB)
  expect(readAheadBytes(10_000 * MIB, false)).toBe(256 * MIB)
})

test('much is read ahead once the machine stands', () => {
  expect(readAheadBytes(0, true)).toBe(256 * MIB)
})

test('a round that is worth it is never more than may be read ahead', () => {
  expect(ROUND_BYTES_MIN).toBeLessThanOrEqual(readAheadBytes(0, false))
})

test('what is left goes within the limit, or does not', () => {
  expect(goesWithin(3_000_000, 100_000, 30)).toBe(true)
  expect(goesWithin(3_000_001, 100_000, 30)).toBe(false)
  expect(goesWithin(1, 0, 30)).toBe(false)
})
