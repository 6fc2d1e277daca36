import { describe, expect, it } from 'vitest'
import { swapsToEnd } from './ram-dump.ts'

const memoryBytes = 10 * 4096

describe('swapsToEnd', () => {
  it('pairs written pages with the unwritten ones at the end', () => {
    expect(swapsToEnd([1, 4, 8], 3, memoryBytes)).toEqual([
      [1, 7],
      [4, 9],
    ])
  })

  it('leaves the first pages where more changed than the working set has', () => {
    expect(swapsToEnd([0, 1, 4, 8], 3, memoryBytes)).toEqual([
      [1, 7],
      [4, 9],
    ])
  })

  it('has nothing to do where they lie there already', () => {
    expect(swapsToEnd([8, 9], 2, memoryBytes)).toEqual([])
  })

  it('refuses a guest that did not write its whole working set', () => {
    expect(() => swapsToEnd([8], 2, memoryBytes)).toThrow('1 pages of 2')
  })
})
