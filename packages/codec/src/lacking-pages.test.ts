import { encodePageRuns } from '@godwit/wire'
import type { Nak } from '@godwit/wire'
import { expect, it } from 'vitest'
import { LackingPages } from './lacking-pages.ts'

const nakOf = (region: number, firstPage: number, pageCount: number): Nak => {
  return { round: 1, region, runs: encodePageRuns([{ firstPage, pageCount }]) }
}

it('a page lacks once in a round: a source cannot have it noted again and again', () => {
  const lacking = new LackingPages(() => 1024)
  expect(lacking.isEmpty).toBe(true)
  lacking.add(nakOf(1, 0, 16))
  lacking.add(nakOf(2, 8, 8))
  lacking.add(nakOf(1, 16, 1008))
  expect(lacking.isEmpty).toBe(false)
  expect(() => lacking.add(nakOf(1, 1023, 1))).toThrow(
    expect.objectContaining({ code: 'PROTOCOL_STATE' }),
  )
})
