/**
 * When rounds of pre-copy give way to post-copy (`--mode hybrid`): after so many rounds, after so
 * much time, or when a round brings nothing any more. After Lu et al. (HSG-LM) and Luo et al. What
 * the rounds are of is another choice: all pages, or the working set only (Sahni & Varma).
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
  /**
   * Rounds send the working set only, the pages that the guest stores to within this time before
   * round 1; all others follow in post-copy. After Sahni & Varma (CCEM 2012), who do not say how
   * the set is found.
   */
  readonly workingSetMs?: number | undefined
}

/** So long that what a guest does once a second is seen; nothing is sent meanwhile. */
export const WORKING_SET_DEFAULT_MS = 1000
/** A longer look tells what the guest has ever used rather than what it uses now. */
const workingSetMsMax = 60_000

/** A round that leaves more than this share of what the last one left has stalled. */
const stallShare = 0.9

/** Asked after every round. */
export class HybridSwitch {
  readonly #rules: HybridRules
  #asked: StopDecision | undefined

  constructor(rules: HybridRules) {
    this.#rules = rules
  }

  /** It is wanted once the round that is going on has ended: by the operator, or by a rule. */
  ask(by: StopDecision = { rule: 'asked', numbers: {} }): void {
    this.#asked = by
  }

  /** Whether it was: that goes before all rules. */
  asked(round: number): StopDecision | undefined {
    const by = this.#asked
    return by && { rule: by.rule, numbers: { round, ...by.numbers } }
  }

  /**
   * By rules alone.
   *
   * @param elapsedMs - since round 1 began
   * @returns the rule that fired and its numbers
   */
  decide(statistics: RoundStatistics, elapsedMs: number): StopDecision | undefined {
    const { rounds, afterMs, stall } = this.#rules
    const { round, dirtyPages, lastDirtyPages, sentPages } = statistics
    if (rounds !== undefined && round >= rounds)
      return { rule: 'rounds', numbers: { round, rounds } }
    if (afterMs !== undefined && elapsedMs >= afterMs) {
      return { rule: 'after', numbers: { elapsedMs, afterMs } }
    }
    // A round of no pages is a look at stores: the selector waits, and `held` says how long.
    if (stall === true && sentPages > 0 && dirtyPages > lastDirtyPages * stallShare) {
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
 * these rules that fires ends the rounds; `stall` where none is given. With `working-set[=T]` the
 * rounds are of the working set, and where no rule is given there is one.
 *
 * @throws {GodwitError} `USAGE`
 */
export function parseMode(text: string): ModeSettings {
  const [name = '', ...rules] = text.split(',')
  if (plainModes.includes(name) && rules.length === 0) {
    return { mode: name as MigrationMode, hybrid: {} }
  }
  if (name !== 'hybrid') {
    const known = [...plainModes, 'hybrid[,RULE]...'].join(', ')
    throw new GodwitError('USAGE', `"${text}" is not a mode; there are ${known}`)
  }
  const hybrid = Object.assign({}, ...rules.map((rule) => parseRule(rule))) as HybridRules
  const { workingSetMs, ...switching } = hybrid
  if (Object.keys(switching).length > 0) return { mode: name, hybrid }
  const byDefault = workingSetMs === undefined ? { stall: true } : { rounds: 1 }
  return { mode: name, hybrid: { ...byDefault, ...hybrid } }
}

function parseRule(text: string): HybridRules {
  const [name, value = ''] = text.split('=', 2)
  if (name === 'stall' && value === '') return { stall: true }
  if (name === 'after' && value !== '') return { afterMs: parseDurationMs(value) }
  const rounds = Number(value)
  if (name === 'rounds' && Number.isInteger(rounds) && rounds >= 1) return { rounds }
  if (name === 'working-set') return { workingSetMs: parseWorkingSet(text, value) }
  const known = 'rounds=N (from 1 on), after=T, stall and working-set[=T]'
  throw new GodwitError('USAGE', `"${text}" is no rule of hybrid; there are ${known}`)
}

function parseWorkingSet(text: string, value: string): number {
  if (text === 'working-set') return WORKING_SET_DEFAULT_MS
  const ms = parseDurationMs(value)
  if (ms > 0 && ms <= workingSetMsMax) return ms
  const limit = `${workingSetMsMax / 1000}s`
  throw new GodwitError('USAGE', `"${text}": stores are watched for some time, up to ${limit}`)
}
