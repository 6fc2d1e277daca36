/**
 * Flags, after Ma et al. (2010), as ESCDR tells it (section 2): pages that are updated often are
 * flagged, and flagged pages go in the last round only. What "often" is, it does not say: here a
 * page is flagged when it was dirtied in so many rounds, and stays flagged.
 *
 * @module
 */
import type { PageSelector } from './page-selector.ts'
import { plainSelector, selectWords } from './page-selector.ts'

/** @param times - rounds, not necessarily in a row, in which a page was dirtied that is flagged */
export function flagSelector(wordCounts: readonly number[], times: number): PageSelector {
  // A word for each number of rounds, those of the same pages beside each other.
  const reached = wordCounts.map((wordCount) => new Uint32Array(wordCount * times))
  return {
    ...plainSelector,
    watchesStores: true,
    select: selectWords(
      (region, fresh) => {
        const words = reached[region]!
        for (let i = 0; i < fresh.length; i++) {
          const first = i * times
          for (let at = first + times - 1; at > first; at--)
            words[at]! |= words[at - 1]! & fresh[i]!
          words[first]! |= fresh[i]!
        }
      },
      (region, word) => ~reached[region]![word * times + times - 1]!,
    ),
  }
}
