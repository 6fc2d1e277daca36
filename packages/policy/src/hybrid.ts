/**
 * When rounds of pre-copy give way to post-copy (`--mode hybrid`): after so many rounds, after so
 * much time, or when a round brings nothing any more. After Lu et al. (HSG-LM) and Luo et al.
 *
 * @module
 */
import type { MigrationMode } from '@godwit/core'
import { GodwitError, parseDurationMs } from '@godwit/core'
import type { RoundStatistics, StopDecision } from './stop-condition.ts'

export interface HybridRules {
  readonly rounds?: number | undefined
  readonly afterMs?: number | undefined
  readonly stall?: boolean | undefined
}

/** A round that leaves more than this share of what the last one left has stalled. */
const stallShare = 0.9

/** Asked after every round that the stop rules did not end. */
export class HybridSwitch {
  readonly #rules: HybridRules
  #lastDirtyPages = Infinity
  #isAsked = false

  constructor(rules: HybridRules) {
    this.#rules = rules
  }

  /** The operator wants it, as soon as the round that is going on has ended. */
  ask(): void {
    this.#isAsked = true
  }

  /**
   * @param elapsedMs - since round 1 began
   * @returns the rule that fired and its numbers
   */
  decide(statistics: RoundStatistics, elapsedMs: number): StopDecision | undefined {
    const { rounds, afterMs, stall } = this.#rules
    const { round, dirtyPages } = statistics
    const lastDirtyPages = this.#lastDirtyPages
    this.#lastDirtyPages = dirtyPages
    if (this.#isAsked) return { rule: 'asked', numbers: { round } }
    if (rounds !== undefined && round >= rounds)
      return { rule: 'rounds', numbers: { round, rounds } }
    if (afterMs !== undefined && elapsedMs >= afterMs) {
      return { rule: 'after', numbers: { elapsedMs, afterMs } }
    }
    if (stall === true && dirtyPages > lastDirtyPages * stallShare) {
      return { rule: 'stall', numbers: { round, dirtyPages, lastDirtyPages } }
    }
    return undefined
  }
}

export const MODE_DEFAULT = 'pre-copy'
const plainModes: readonly string[] = ['pre-copy', 'stop-copy', 'post-copy']

/** A mode as it was asked for. */
export interface ModeSettings {
  readonly mode: MigrationMode
  /** Of `hybrid`. */
  readonly hybrid: HybridRules
}

/**
 * Parses `pre-copy`, `stop-copy`, `post-copy`, or `hybrid,rounds=N,after=T,stall`: the first of
 * these rules that fires ends the rounds; `stall` where none is given.
 *
 * @throws {GodwitError} `USAGE`
 */
export function parseMode(text: string): ModeSettings {
  const [name = '', ...rules] = text.split(',')
  if (plainModes.includes(name) && rules.length === 0) {
    return { mode: name as MigrationMode, hybrid: {} }
  }
  if (name !== 'hybrid') {
    const known = [...plainModes, 'hybrid[,rounds=N][,after=T][,stall]'].join(', ')
    throw new GodwitError('USAGE', `"${text}" is not a mode; there are ${known}`)
  }
  if (rules.length === 0) return { mode: name, hybrid: { stall: true } }
  const hybrid = Object.assign({}, ...rules.map((rule) => parseRule(rule))) as HybridRules
  return { mode: name, hybrid }
}

function parseRule(text: string): HybridRules {
  const [name, value = ''] = text.split('=', 2)
  if (name === 'stall' && value === '') return { stall: true }
  if (name === 'after' && value !== '') return { afterMs: parseDurationMs(value) }
  const rounds = Number(value)
  if (name === 'rounds' && Number.isInteger(rounds) && rounds >= 1) return { rounds }
  const known = 'rounds=N (from 1 on), after=T and stall'
  throw new GodwitError('USAGE', `"${text}" is no rule of hybrid; there are ${known}`)
}
