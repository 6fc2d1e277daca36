/**
 * When the rounds of pre-copy are over, and what comes next: what somebody asked for, then what the
 * preset `auto` says, then the stop rules, then those of `hybrid`. Before all of them: a guest that
 * has stopped by itself.
 *
 * @module
 */
import type { GuestStop } from '@godwit/core'
import type { RoundStatistics, StopDecision } from '@godwit/policy'
import { HybridSwitch, evaluateStop } from '@godwit/policy'
import type { DecisionLog } from './decision-log.ts'
import type { SourceOptions } from './options.ts'
import type { RoundPages } from './round-pages.ts'

/** What comes after the rounds of pre-copy. */
export type NextAfterRounds = 'switch-over' | 'post-copy'

/** Why they are over, and what is next. */
export interface RoundsEndDecision {
  readonly decision: StopDecision
  readonly next: NextAfterRounds
  /** For how long the guest stands already. */
  readonly stoodMs?: number
}

/** A guest that stops by itself did so. */
function stoppedItself(stop: GuestStop, { round, dirtyPages }: RoundStatistics): RoundsEndDecision {
  const { stoodMs, numbers } = stop
  const decision = { rule: 'guest', numbers: { ...numbers, round, dirtyPages } }
  return { decision, next: 'switch-over', stoodMs }
}

/** Of one migration. */
export class RoundsEnd {
  readonly #options: Pick<SourceOptions, 'mode' | 'stop' | 'auto'>
  readonly #log: DecisionLog
  readonly #switch: HybridSwitch

  constructor(options: SourceOptions, log: DecisionLog) {
    this.#options = options
    this.#log = log
    this.#switch = new HybridSwitch(options.hybrid ?? {})
  }

  /** Post-copy is wanted as soon as the round has ended. */
  askForPostCopy(by?: StopDecision): void {
    this.#switch.ask(by)
  }

  /**
   * A round has ended.
   *
   * @param elapsedMs - since round 1 began
   * @param stop - of a guest that stops by itself, once it has
   * @returns undefined to go on with another round
   */
  decide(
    statistics: RoundStatistics,
    pages: Pick<RoundPages, 'hasAside' | 'areAllLeft' | 'heldPages'>,
    elapsedMs: number,
    stop?: GuestStop,
  ): RoundsEndDecision | undefined {
    const { round } = statistics
    if (stop !== undefined) return stoppedItself(stop, statistics)
    const asked = this.#switch.asked(round)
    if (asked !== undefined) return { decision: asked, next: 'post-copy' }
    const { auto, stop: rules, mode } = this.#options
    // What was kept back must not travel in the pause.
    const afterShort = pages.hasAside ? 'post-copy' : 'switch-over'
    const chosen = auto?.observe(statistics)
    if (chosen !== undefined) this.#log.add(round, chosen.texts)
    const { end } = chosen ?? {}
    if (end !== undefined) {
      return { decision: end, next: end.next === 'post-copy' ? end.next : afterShort }
    }
    const { heldPages } = pages
    const held = pages.areAllLeft ? { rule: 'held', numbers: { round, heldPages } } : undefined
    if (mode !== 'hybrid') {
      const decision = evaluateStop(rules, statistics) ?? held
      return decision && { decision, next: afterShort }
    }
    // A short pause is better than faults; a long one is what the mode is to spare the guest.
    const isShort = evaluateStop(
      rules.filter(({ meansShortPause = false }) => meansShortPause),
      statistics,
    )
    if (isShort !== undefined) return { decision: isShort, next: afterShort }
    const others = rules.filter(({ meansShortPause = false }) => !meansShortPause)
    const decision =
      evaluateStop(others, statistics) ?? this.#switch.decide(statistics, elapsedMs) ?? held
    return decision && { decision, next: 'post-copy' }
  }
}
