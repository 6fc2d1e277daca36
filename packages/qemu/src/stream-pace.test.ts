import { MIB } from '@godwit/core'
import { expect, test } from 'vitest'
import { isLittle, PassLeft, readAheadBytes } from './stream-pace.ts'

test('little is read ahead when little is left', () => {
  expect(readAheadBytes(0, false)).toBe(MIB / 2)
  expect(readAheadBytes(100 * MIB, false)).toBe(MIB / 2)
  expect(readAheadBytes(144 * MIB, false)).toBe(8 * MIB)
  expect(readAheadBytes(10_000 * MIB, false)).toBe(16 * MIB)
})

test('more is read ahead once the machine stands', () => {
  expect(readAheadBytes(0, true)).toBe(16 * MIB)
})

test('little is what does not delay the rest', () => {
  expect([isLittle(8 * MIB - 1), isLittle(8 * MIB)]).toEqual([true, false])
})

test('what has come since is not left, by pages', () => {
  const left = new PassLeft()
  left.say(8 * 4096, 100)
  expect([100, 103, 108, 109].map((pages) => left.leftBytes(pages) / 4096)).toEqual([8, 5, 0, 0])
  left.say(2 * 4096, 109)
  expect(left.leftBytes(110)).toBe(4096)
})
