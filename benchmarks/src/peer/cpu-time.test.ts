import { expect, it } from 'vitest'
import { parseStat } from './cpu-time.ts'

it('adds user and kernel time, whatever the name has in it', () => {
  const fields = 'S 1 2 3 4 5 6 7 8 9 10 150 75 0 0'
  expect(parseStat(`42 (CPU 0/TCG) ${fields}`)).toEqual({ name: 'CPU 0/TCG', seconds: 2.25 })
  expect(parseStat(`42 (a) (b) ${fields}`)).toEqual({ name: 'a) (b', seconds: 2.25 })
})
