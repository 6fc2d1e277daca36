/**
 * The pages that a selector holds back: the destination lacks them, and no round has them in its
 * set before the selector says so, or there are no more rounds.
 *
 * @module
 */
import { PageBitmap } from '@godwit/core'
import type { PageSelector } from '@godwit/policy'

/** Of one migration. */
export class HeldPages {
  readonly #selector: PageSelector
  readonly #held: readonly PageBitmap[]
  /** What the selector fills in. */
  readonly #chosen: readonly Uint32Array[]
  /** Choices in a row that sent nothing. */
  #emptyRounds = 0

  constructor(selector: PageSelector, pageCounts: readonly number[]) {
    this.#selector = selector
    this.#held = pageCounts.map((pageCount) => new PageBitmap(pageCount))
    this.#chosen = this.#held.map(({ words }) => new Uint32Array(words.length))
  }

  get size(): number {
    return this.#held.reduce((sum, { size }) => sum + size, 0)
  }

  /**
   * Asks the selector about the next round.
   *
   * @param pending - per region: pages that were stored to since the last call; afterwards, pages
   *   that are to be sent
   */
  select(pending: readonly PageBitmap[]): void {
    let isAny = 0
    for (const [region, { words: fresh }] of pending.entries()) {
      const { words: held } = this.#held[region]!
      const chosen = this.#chosen[region]!
      for (let i = 0; i < held.length; i++) held[i]! |= fresh[i]!
      this.#selector.select(region, fresh, held, chosen)
      for (let i = 0; i < held.length; i++) {
        const send = chosen[i]! & held[i]!
        fresh[i] = send
        held[i]! &= ~send
        isAny |= send
      }
    }
    this.#emptyRounds = isAny === 0 ? this.#emptyRounds + 1 : 0
  }

  /** Whether nothing is to be sent any more before the end, however long one waits. */
  get areAllLeft(): boolean {
    return this.#emptyRounds > this.#selector.patienceRounds && this.size > 0
  }

  /** Nothing is held any more. @param pending - gets what was */
  release(pending: readonly PageBitmap[]): void {
    for (const [region, bitmap] of this.#held.entries()) {
      pending[region]!.addOthers(bitmap)
      bitmap.clear()
    }
  }
}
