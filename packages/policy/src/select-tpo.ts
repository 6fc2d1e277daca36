/**
 * Three-phase optimization (TPO), Sharma & Chawla (2016), as HASH75 tells it (section 2.3): round 1
 * sends the pages that are not being updated; in the rounds after it pages that were dirtied often
 * are predicted to be dirtied again, and held; the last phase encodes differences by run lengths,
 * which is the encoding `delta`.
 *
 * @module
 */
import type { PageSelector } from './page-selector.ts'
import { historySelector } from './select-history.ts'

/** @param rounds - @param hits - of the second phase, as of `history` */
export function tpoSelector(
  wordCounts: readonly number[],
  rounds: number,
  hits: number,
): PageSelector {
  return { ...historySelector(wordCounts, rounds, hits), peeks: (round) => round === 1 }
}

/** How pages are encoded where the user does not say. */
export const TPO_ENCODE = 'delta'
