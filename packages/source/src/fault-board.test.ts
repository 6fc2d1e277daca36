import { PIVOTS_MAX } from '@godwit/policy'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FaultBoard } from './fault-board.ts'

describe('the board of faults', () => {
  it('has none at first', () => {
    const board = new FaultBoard()
    expect([board.count, board.pivots]).toEqual([0, []])
  })

  it('tells every thread the last ones, newest first, and counts all', () => {
    const fault = fc.record({ region: fc.nat(1023), page: fc.nat(1_048_575) })
    fc.assert(
      fc.property(fc.array(fault, { maxLength: 3 * PIVOTS_MAX }), (faults) => {
        const board = new FaultBoard()
        const there = new FaultBoard(board.words)
        for (const [i, one] of faults.entries()) {
          board.add(one)
          expect(there.count).toBe(i + 1)
          const last = faults.slice(Math.max(0, i + 1 - PIVOTS_MAX), i + 1)
          expect(there.pivots).toEqual(last.toReversed())
        }
      }),
    )
  })
})
