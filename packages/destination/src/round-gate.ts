/**
 * Which round may be installed, for lanes on every thread.
 *
 * @module
 */
import { allocateShared } from '@godwit/core'

const roundWord = 0
const postCopyWord = 1

/** One side opens and shuts; lanes look before they install anything. */
export class RoundGate {
  readonly words: Int32Array

  /** @param words - of another thread's gate */
  constructor(words: Int32Array = new Int32Array(allocateShared(8).buffer)) {
    this.words = words
  }

  /** The round that may be installed; 0 for none. */
  get round(): number {
    return Atomics.load(this.words, roundWord)
  }

  /** Whether its pages come to a guest that runs already. */
  get isPostCopy(): boolean {
    return Atomics.load(this.words, postCopyWord) === 1
  }

  /** @param round - 0 for none */
  allow(round: number, isPostCopy: boolean): void {
    Atomics.store(this.words, postCopyWord, isPostCopy ? 1 : 0)
    Atomics.store(this.words, roundWord, round)
  }
}
