/**
 * Where a new guest starts: away from others of its pair, so that a guest that migrates later finds
 * siblings on many machines (ESCDR 3.1).
 *
 * @module
 */
import type { Candidate, Criterion, Need, Ranking } from './ranking.ts'
import { objectionTo, lastCriteria, rank } from './ranking.ts'

/** Machines with room: fewest of the pair first, then load, then most free memory, then name. */
export function rankForPlacement(candidates: readonly Candidate[], need: Need): Ranking<Candidate> {
  return rank(candidates, criteria, (candidate) => objectionTo(candidate, need))
}

const criteria: readonly Criterion<Candidate>[] = [
  {
    rule: 'pair',
    value: ({ ofPair }) => ofPair,
    text: (better, worse) => ({
      won: `${countOfPair(better)}, the other ${worse.ofPair}`,
      lost: `${countOfPair(worse)}, the choice ${better.ofPair}`,
    }),
  },
  ...lastCriteria,
]

function countOfPair({ ofPair }: Candidate): string {
  return ofPair === 0 ? 'none of the pair' : `${ofPair} of the pair`
}
