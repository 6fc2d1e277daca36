/**
 * Clark et al., Live Migration of Virtual Machines (NSDI 2005), on the writable working set: when a
 * page's turn comes, the fresh dirty bitmap is looked at, and a page that is dirty again already is
 * not sent: it would have to go once more anyway.
 *
 * @module
 */
import type { PageSelector } from './page-selector.ts'
import { plainSelector } from './page-selector.ts'

/**
 * @param rounds - in which it looks: this one and those before; `Infinity` for all
 * @param everyMs - how old the bitmap is at most, but for what collecting takes
 */
export function clarkWwsSelector(rounds: number, everyMs: number): PageSelector {
  return {
    ...plainSelector,
    watchesStores: true,
    peekMs: everyMs,
    peeks: (round) => round <= rounds,
  }
}
