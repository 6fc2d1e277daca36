/**
 * Which of the pages that the destination lacks go in the next round, and which are held back.
 *
 * A selector sees bitmaps, a bit per page, and works on 32 pages at a time. What it holds back is
 * kept by its caller, and goes with the last pages at the latest: in the pause, or in post-copy.
 *
 * @module
 */
import type { PageClassName } from '@godwit/core'

/** The memory of one migration's choices. */
export interface PageSelector {
  /**
   * Whether it goes by when stores were made: then a tracker must see stores, and not only that a
   * page differs from what was sent.
   */
  readonly watchesStores: boolean
  /**
   * After so many rounds in a row without a page to send, those that are held stay held: then there
   * is nothing to wait for.
   */
  readonly patienceRounds: number
  /** How often stores are collected while a round goes on that {@link peeks}. */
  readonly peekMs: number
  /** Of a guest that tells its classes: pages that need not be sent. */
  readonly drops: readonly PageClassName[]
  /** Whether pages that are dirty again when their turn comes in this round are left out of it. */
  peeks(round: number): boolean
  /**
   * Chooses for one region, once after every round. All three have a bit per page. One of a user's
   * own gets copies of the first two, and `send` empty.
   *
   * @param region - index of the region
   * @param fresh - pages that were stored to since the call before
   * @param lacking - pages that the destination lacks: those, and what was held back before
   * @param send - filled in: pages of `lacking` that go next; the others are held back
   */
  select(region: number, fresh: Uint32Array, lacking: Uint32Array, send: Uint32Array): void
}

/** As often as trackers are asked without a word from the user. */
export const PEEK_DEFAULT_MS = 50

/** What most selectors have in common: everything is sent, nothing is watched. */
export const plainSelector: PageSelector = {
  watchesStores: false,
  patienceRounds: 0,
  peekMs: PEEK_DEFAULT_MS,
  drops: [],
  peeks: () => false,
  select: (_region, _fresh, lacking, send) => send.set(lacking),
}

/**
 * Makes the `select` of a selector that decides word by word.
 *
 * @param observe - hears once what was stored to
 * @param sendOf - of 32 pages, some of which are lacking: those that may be sent
 */
export function selectWords(
  observe: (region: number, fresh: Uint32Array) => void,
  sendOf: (region: number, word: number, lacking: number) => number,
): PageSelector['select'] {
  return (region, fresh, lacking, send) => {
    observe(region, fresh)
    for (let word = 0; word < lacking.length; word++) {
      const here = lacking[word]!
      send[word] = here === 0 ? 0 : here & sendOf(region, word, here)
    }
  }
}
