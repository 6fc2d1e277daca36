/**
 * The end of the rounds before their time: no round begins any more, and the one that is going on
 * is cut short.
 *
 * @module
 */
import { PageBitmap } from '@godwit/core'
import type { SentPages } from '@godwit/codec'
import type { StopDecision } from '@godwit/policy'
import type { RoundWork } from './round-work.ts'
import { cutShort } from './round-work.ts'

/** Of one migration. */
export class EarlyEnd {
  /** Per region, shared: pages that the round has left. */
  readonly left: readonly PageBitmap[]
  /** Why there is no further round, whatever the stop rules say. */
  decision: StopDecision | undefined
  #work: RoundWork | undefined

  constructor(sent: readonly SentPages[]) {
    this.left = sent.map(({ fingerprints }) => PageBitmap.shared(fingerprints.entryCount))
  }

  /** A round begins that {@link left} was given to. */
  begin(work: RoundWork): void {
    this.#work = work
    for (const bitmap of this.left) bitmap.clear()
    if (this.decision !== undefined) cutShort(work)
  }

  now(decision: StopDecision): void {
    this.decision = decision
    if (this.#work !== undefined) cutShort(this.#work)
  }
}
