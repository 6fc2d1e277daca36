/**
 * History of dirty bitmaps, after Hu et al. (2011): in how many of the last N rounds a page was
 * dirtied. HASH75 (section 2.3) tells it as "only transfer the modified page when the bit
 * corresponding to the particular page reaches 5"; the usual reading is the other way round. Both
 * are here.
 *
 * @module
 */
import { selectByHistory } from './dirty-history.ts'
import type { PageSelector } from './page-selector.ts'

/**
 * The usual reading: a page that was dirtied in at least `hits` of the last `rounds` rounds is hot
 * and held back, to the end unless it cools down.
 */
export function historySelector(
  wordCounts: readonly number[],
  rounds: number,
  hits: number,
): PageSelector {
  return selectByHistory(wordCounts, rounds, (history, word) => ~history.atLeast(word, hits))
}

/**
 * The reading of HASH75: a page goes when its count reaches `hits`, and its count begins anew; one
 * that is dirtied less often goes at the end.
 */
export function historySendSelector(
  wordCounts: readonly number[],
  rounds: number,
  hits: number,
): PageSelector {
  return selectByHistory(wordCounts, rounds, (history, word, lacking) => {
    const due = history.atLeast(word, hits) & lacking
    if (due !== 0) history.forget(word, due)
    return due
  })
}
