import type { Clock } from '@godwit/core'
import { MIB, systemClock } from '@godwit/core'
import { expect, it } from 'vitest'
import { DecisionLog } from './decision-log.ts'
import { EarlyEnd } from './early-end.ts'
import type { ReviewParts } from './review.ts'
import { Review } from './review.ts'
import { RoundLog } from './round-log.ts'
import { emptyRound } from './round-work.ts'
import { Watch } from './watch.ts'

it('tells what lanes held back of a round, and logs what the destination lacks after it', () => {
  let nowMs = 0
  const clock: Clock = { ...systemClock, nowMs: () => nowMs }
  const log = new RoundLog(4096, 64 * MIB)
  const decisions = new DecisionLog(clock, undefined)
  const parts = { log, decisions, earlyEnd: new EarlyEnd([]), watch: new Watch() }
  const review = new Review(
    { clock } as never,
    { ...parts, steering: { facts: {} }, sweeps: undefined } as unknown as ReviewParts,
  )
  const sent = { ...emptyRound(), heldPages: 2, frameBytes: 2 * MIB }
  // A selector held 5 more, which were never in the round.
  review.sent({ round: 2, pages: 0, heldPages: 7, startMs: 0, sent })
  expect(review.last.heldPages).toBe(2)
  nowMs = 40
  review.ended(false)
  expect(log.rounds).toMatchObject([{ round: 2, ms: 40, heldPages: 7 }])
})
