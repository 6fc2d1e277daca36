/**
 * Pre-copy with probability prediction, which BDA is measured against (BDA, section 4, "PPC"; the
 * paper has no formula): p(page) is the sum of w_j over those of the last rounds in which the page
 * was dirtied, w_j = 2^-j, j = 1 being the last one. A page with p above the threshold is held.
 *
 * With these weights p is the page's rounds read as a binary fraction, the last one first: 0.5 is
 * exceeded by a page that was dirtied in the last round and in another one.
 *
 * @module
 */
import { selectByHistory } from './dirty-history.ts'
import type { PageSelector } from './page-selector.ts'

/** @param threshold - from 0 to less than 1 */
export function ppcSelector(
  wordCounts: readonly number[],
  rounds: number,
  threshold: number,
): PageSelector {
  const limit = Math.floor(threshold * 2 ** rounds)
  return selectByHistory(wordCounts, rounds, (history, word) => ~history.above(word, limit))
}
