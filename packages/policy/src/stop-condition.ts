/**
 * When to stop pre-copy: combinable rules over the statistics of the rounds so far. The first rule
 * that fires wins and is reported with its numbers.
 *
 * @module
 */
import { GodwitError, parseDurationMs } from '@godwit/core'

/** What a rule may look at; taken after a round was acknowledged, before the next begins. */
export interface RoundStatistics {
  /** The round that just ended, from 1. */
  readonly round: number
  /** Pages dirtied and not sent yet. */
  readonly dirtyPages: number
  /** Their bytes, uncompressed: a later encoding only makes them fewer. */
  readonly dirtyBytes: number
  /** Bytes of guest pages per second that the last rounds of useful size moved. */
  readonly bandwidth: number
  /** What a pause costs beside its pages: collecting dirty marks and the control round trips. */
  readonly pauseOverheadMs: number
}

/** A rule that fired, by name, with the numbers it looked at. */
export interface StopDecision {
  readonly rule: string
  readonly numbers: Readonly<Record<string, number>>
}

export interface StopRule {
  readonly name: string
  /** Its setting in the form the user writes it. */
  readonly setting: string
  evaluate(statistics: RoundStatistics): StopDecision | undefined
}

/** Expected pause if the guest were stopped now. */
export function expectedDowntimeMs(statistics: RoundStatistics): number {
  const { dirtyBytes, bandwidth, pauseOverheadMs } = statistics
  if (dirtyBytes === 0) return pauseOverheadMs
  return bandwidth > 0 ? pauseOverheadMs + (dirtyBytes / bandwidth) * 1e3 : Infinity
}

/** Stop when the pause is expected to be no longer than `limitMs` (QEMU's rule; default 300 ms). */
export function downtimeRule(limitMs: number): StopRule {
  return {
    name: 'downtime',
    setting: `${limitMs}ms`,
    evaluate(statistics) {
      const expectedMs = expectedDowntimeMs(statistics)
      // With nothing left to send another round makes the pause no shorter.
      if (expectedMs > limitMs && statistics.dirtyPages > 0) return undefined
      const { dirtyPages, bandwidth } = statistics
      return { rule: 'downtime', numbers: { expectedMs, limitMs, dirtyPages, bandwidth } }
    },
  }
}

/** Stop after `rounds` rounds whatever is left (Clark et al., NSDI 2005: 30 in Xen). */
export function maxRoundsRule(rounds: number): StopRule {
  return {
    name: 'max-rounds',
    setting: `${rounds}`,
    evaluate({ round, dirtyPages }) {
      if (round < rounds) return undefined
      return { rule: 'max-rounds', numbers: { round, limit: rounds, dirtyPages } }
    },
  }
}

/** Stop when fewer than `pages` pages are dirty (Xen: 50). */
export function fewDirtyRule(pages: number): StopRule {
  return {
    name: 'few-dirty',
    setting: `${pages}`,
    evaluate({ dirtyPages }) {
      if (dirtyPages >= pages) return undefined
      return { rule: 'few-dirty', numbers: { dirtyPages, limit: pages } }
    },
  }
}

/** The first rule that fires, or undefined to go on with another round. */
export function evaluateStop(
  rules: readonly StopRule[],
  statistics: RoundStatistics,
): StopDecision | undefined {
  for (const rule of rules) {
    const decision = rule.evaluate(statistics)
    if (decision !== undefined) return decision
  }
  return undefined
}

const parsers: Readonly<Record<string, (value: string) => StopRule>> = {
  downtime: (value) => downtimeRule(parseDurationMs(value)),
  'max-rounds': (value) => maxRoundsRule(parsePositive('max-rounds', value)),
  'few-dirty': (value) => fewDirtyRule(parsePositive('few-dirty', value)),
}

function parsePositive(name: string, value: string): number {
  const number = Number(value)
  if (!Number.isInteger(number) || number < 1) {
    throw new GodwitError('USAGE', `${name}=${value}: expected a whole number from 1 on`)
  }
  return number
}

export const STOP_DEFAULT = 'downtime=300ms,max-rounds=30,few-dirty=50'
/** Always in force, so that pre-copy ends even when the user's rules never fire. */
const roundsMax = 30

/**
 * Parses `downtime=300ms,max-rounds=30,few-dirty=50`. A cap of 30 rounds is added where
 * `max-rounds` is not given.
 *
 * @throws {GodwitError} `USAGE`
 */
export function parseStop(text: string): readonly StopRule[] {
  const rules = text.split(',').map((part) => {
    const [name = '', value = ''] = part.split('=', 2)
    const parser = parsers[name]
    if (parser === undefined || value === '') {
      const known = Object.keys(parsers).join(', ')
      throw new GodwitError(
        'USAGE',
        `"${part}" is not a stop rule; the rules are NAME=VALUE of ${known}`,
      )
    }
    return parser(value)
  })
  return rules.some((rule) => rule.name === 'max-rounds')
    ? rules
    : [...rules, maxRoundsRule(roundsMax)]
}

/** How the rules are written. */
export function formatStop(rules: readonly StopRule[]): string {
  return rules.map((rule) => `${rule.name}=${rule.setting}`).join(',')
}
