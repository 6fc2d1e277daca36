/**
 * What the guest waits for at the destination, for lanes on every thread to see: how many faults
 * there were, and where the last ones.
 *
 * @module
 */
import { allocateShared } from '@godwit/core'
import type { Pivot } from '@godwit/policy'
import { PIVOTS_MAX } from '@godwit/policy'

const countWord = 0
const headWords = 1

/** One writes, any thread reads; what is read while it is written is at worst a wrong place. */
export class FaultBoard {
  readonly words: Int32Array

  /** @param words - of another thread's board */
  constructor(words?: Int32Array) {
    this.words = words ?? new Int32Array(allocateShared((headWords + PIVOTS_MAX * 2) * 4).buffer)
  }

  get count(): number {
    // As many faults as the destination likes to tell of.
    return Atomics.load(this.words, countWord) >>> 0
  }

  /** The guest waits for a page. */
  add({ region, page }: Pivot): void {
    const at = headWords + (this.count % PIVOTS_MAX) * 2
    Atomics.store(this.words, at, region)
    Atomics.store(this.words, at + 1, page)
    Atomics.add(this.words, countWord, 1)
  }

  /** Where the last faults were, newest first. */
  get pivots(): readonly Pivot[] {
    const { count, words } = this
    const length = Math.min(count, PIVOTS_MAX)
    return Array.from({ length }, (_, age) => {
      const at = headWords + ((count - 1 - age) % PIVOTS_MAX) * 2
      return { region: Atomics.load(words, at), page: Atomics.load(words, at + 1) }
    })
  }
}
