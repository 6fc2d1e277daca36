import { expect, it } from 'vitest'
import { rateBetween } from './qemu-migration.ts'

it('the rate between two lines of the console is per second', () => {
  const before = { text: 'TICK pages=1000', atMs: 500 }
  const after = { text: 'TICK pages=51000', atMs: 2500 }
  expect(rateBetween(before, after)).toBe(25_000)
})

it('without a line before there is no rate', () => {
  expect(rateBetween(undefined, { text: 'TICK pages=1', atMs: 1 })).toBeNaN()
})
