/**
 * Second chance, after Cho-Chin Lin et al. (2012), as HASH75 tells it (section 2.3): a page that
 * was dirtied goes once it has been clean for two rounds in a row, not before.
 *
 * @module
 */
import { selectByHistory } from './dirty-history.ts'
import type { PageSelector } from './page-selector.ts'

/** @param rounds - in a row, in which the page must have been clean */
export function secondChanceSelector(wordCounts: readonly number[], rounds: number): PageSelector {
  return selectByHistory(wordCounts, rounds, (history, word) => ~history.anyOf(word))
}
