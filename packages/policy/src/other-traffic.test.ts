import { expect, it } from 'vitest'
import { OtherTraffic } from './other-traffic.ts'

it('is what the interface sent beside this migration, per second', () => {
  const others = new OtherTraffic(1000, 5e6)
  expect(others.measure(1500, 55e6, 30e6)).toBe(40e6)
  expect(others.measure(2500, 65e6, 33e6)).toBe(7e6)
})

it('says what it said a moment ago, without losing what was sent meanwhile', () => {
  const others = new OtherTraffic(0, 0)
  expect(others.measure(99, 1e6, 0)).toBe(0)
  expect(others.measure(200, 3e6, 1e6)).toBe(10e6)
  expect(others.measure(250, 9e9, 0)).toBe(10e6)
  expect(others.measure(1200, 4e6, 1e6)).toBe(1e6)
})

it('is nothing while own bytes wait in buffers', () => {
  expect(new OtherTraffic(0, 0).measure(1000, 5, 8e6)).toBe(0)
})
