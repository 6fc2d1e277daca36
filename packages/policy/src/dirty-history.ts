/**
 * Which pages were dirtied in each of the last rounds, and sums over that, for 32 pages at a time:
 * the same bit of several words is one page's number, written in binary from word to word.
 *
 * @module
 */
import type { PageSelector } from './page-selector.ts'
import { plainSelector, selectWords } from './page-selector.ts'

/** Most rounds that a history can have: their count takes so many binary digits. */
export const HISTORY_ROUNDS_MAX = 30
const digits = 5

/** Of one region. */
export class DirtyHistory {
  readonly #rounds: number
  /** A word for each round, those of the same pages beside each other. */
  readonly #words: Uint32Array
  /** Of the last round, within the words of the same pages. */
  #newest = 0

  /** @param wordCount - words of a bitmap of the region's pages */
  constructor(wordCount: number, rounds: number) {
    this.#rounds = rounds
    this.#words = new Uint32Array(wordCount * rounds)
  }

  /** One more round; what was dirtied in the oldest is forgotten. */
  add(fresh: Uint32Array): void {
    const rounds = this.#rounds
    const words = this.#words
    this.#newest = (this.#newest + 1) % rounds
    for (let i = 0, at = this.#newest; i < fresh.length; i++, at += rounds) words[at] = fresh[i]!
  }

  /** Pages of a word that were dirtied in any of the rounds. */
  anyOf(word: number): number {
    let any = 0
    const end = (word + 1) * this.#rounds
    for (let at = word * this.#rounds; at < end; at++) any |= this.#words[at]!
    return any
  }

  /** Pages of a word that were dirtied in at least `hits` of the rounds. */
  atLeast(word: number, hits: number): number {
    let ones = 0
    let twos = 0
    let fours = 0
    let eights = 0
    let sixteens = 0
    const end = (word + 1) * this.#rounds
    for (let at = word * this.#rounds; at < end; at++) {
      let carry = this.#words[at]!
      let next = ones & carry
      ones ^= carry
      carry = next
      next = twos & carry
      twos ^= carry
      carry = next
      next = fours & carry
      fours ^= carry
      carry = next
      next = eights & carry
      eights ^= carry
      sixteens ^= next
    }
    // From the highest digit down: larger already, or the same so far.
    let larger = 0
    let same = -1
    for (let digit = digits - 1; digit >= 0; digit--) {
      const count =
        digit === 4
          ? sixteens
          : digit === 3
            ? eights
            : digit === 2
              ? fours
              : digit === 1
                ? twos
                : ones
      if (((hits >>> digit) & 1) === 1) {
        same &= count
      } else {
        larger |= same & count
        same &= ~count
      }
    }
    return larger | same
  }

  /**
   * Pages of a word whose rounds, read as a binary number with the newest as its highest digit, are
   * above `limit`.
   */
  above(word: number, limit: number): number {
    const rounds = this.#rounds
    const first = word * rounds
    let larger = 0
    let same = -1
    let at = this.#newest
    for (let digit = rounds - 1; digit >= 0; digit--) {
      const dirtied = this.#words[first + at]!
      if (((limit >>> digit) & 1) === 1) {
        same &= dirtied
      } else {
        larger |= same & dirtied
        same &= ~dirtied
      }
      at = at === 0 ? rounds - 1 : at - 1
    }
    return larger
  }

  /** These pages of a word were never dirtied. */
  forget(word: number, pages: number): void {
    const end = (word + 1) * this.#rounds
    for (let at = word * this.#rounds; at < end; at++) this.#words[at]! &= ~pages
  }
}

/**
 * A selector that goes by the last `rounds` rounds.
 *
 * @param wordCounts - per region
 * @param sendOf - of 32 pages, some of which are lacking: those that may be sent
 */
export function selectByHistory(
  wordCounts: readonly number[],
  rounds: number,
  sendOf: (history: DirtyHistory, word: number, lacking: number) => number,
): PageSelector {
  const histories = wordCounts.map((wordCount) => new DirtyHistory(wordCount, rounds))
  return {
    ...plainSelector,
    watchesStores: true,
    patienceRounds: rounds,
    select: selectWords(
      (region, fresh) => histories[region]!.add(fresh),
      (region, word, lacking) => sendOf(histories[region]!, word, lacking),
    ),
  }
}
