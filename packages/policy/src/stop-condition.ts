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
  /** Pages dirtied and not sent yet, those that are held back included. */
  readonly dirtyPages: number
  /** The same after the round before; `Infinity` after round 1. */
  readonly lastDirtyPages: number
  /** Their bytes, uncompressed: a later encoding only makes them fewer. */
  readonly dirtyBytes: number
  /** Bytes of guest pages per second that the last rounds of useful size moved. */
  readonly bandwidth: number
  /** The same that the pause is expected to get, which may have a cap of its own. */
  readonly pauseBandwidth: number
  /** What a pause costs beside its pages: collecting dirty marks and the control round trips. */
  readonly pauseOverheadMs: number
  /** Bytes of page frames in round 1, and in all later rounds together. */
  readonly firstRoundBytes: number
  readonly laterRoundsBytes: number
  /** Of the guest. */
  readonly memoryBytes: number
  /** Of the round that just ended: pages sent, how long it took, pages stored to meanwhile. */
  readonly sentPages: number
  readonly roundMs: number
  readonly freshPages: number
}

/** A rule that fired, by name, with the numbers it looked at. */
export interface StopDecision {
  readonly rule: string
  readonly numbers: Readonly<Record<string, number>>
}

export interface StopRule {
  readonly name: string
  /** In the form the user writes it. */
  readonly text: string
  /**
   * Whether the pause is short when it fires: then `hybrid` ends in it, too, and otherwise in
   * post-copy. Default false.
   */
  readonly meansShortPause?: boolean
  evaluate(statistics: RoundStatistics): StopDecision | undefined
}

/** Expected pause if the guest were stopped now. */
export function expectedDowntimeMs(statistics: RoundStatistics): number {
  const { dirtyBytes, pauseBandwidth, pauseOverheadMs } = statistics
  if (dirtyBytes === 0) return pauseOverheadMs
  return pauseBandwidth > 0 ? pauseOverheadMs + (dirtyBytes / pauseBandwidth) * 1e3 : Infinity
}

/** Stop when the pause is expected to be no longer than `limitMs` (QEMU's rule; default 300 ms). */
export function downtimeRule(limitMs: number): StopRule {
  return {
    name: 'downtime',
    text: `downtime=${limitMs}ms`,
    meansShortPause: true,
    evaluate(statistics) {
      const expectedMs = expectedDowntimeMs(statistics)
      // With nothing left to send another round makes the pause no shorter.
      if (expectedMs > limitMs && statistics.dirtyPages > 0) return undefined
      const { dirtyPages, pauseBandwidth: bandwidth } = statistics
      return { rule: 'downtime', numbers: { expectedMs, limitMs, dirtyPages, bandwidth } }
    },
  }
}

/** Stop after `rounds` rounds whatever is left (Clark et al., NSDI 2005: 30 in Xen). */
export function maxRoundsRule(rounds: number): StopRule {
  return {
    name: 'max-rounds',
    text: `max-rounds=${rounds}`,
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
    text: `few-dirty=${pages}`,
    meansShortPause: true,
    evaluate({ dirtyPages }) {
      if (dirtyPages >= pages) return undefined
      return { rule: 'few-dirty', numbers: { dirtyPages, limit: pages } }
    },
  }
}

/**
 * Stop when so much was sent again: RT/TM >= `least`, where TM is what round 1 sent and RT what all
 * rounds after it did (HASH75, figure 7, line 22; 0.75 there). The ratio gets there at last even
 * while rounds become shorter: so it stands beside {@link wwsRule} by default.
 */
export function ratioRule(least: number): StopRule {
  return {
    name: 'ratio',
    text: `ratio=${least}`,
    evaluate({ firstRoundBytes, laterRoundsBytes }) {
      if (laterRoundsBytes === 0 || laterRoundsBytes < least * firstRoundBytes) return undefined
      const ratio = laterRoundsBytes / firstRoundBytes
      return { rule: 'ratio', numbers: { ratio, least, firstRoundBytes, laterRoundsBytes } }
    },
  }
}

/**
 * Stop when a round leaves more than this share of what the one before it left: what is dirty now
 * is the writable working set (Clark et al., NSDI 2005), and another round sends it again.
 */
export function wwsRule(share: number): StopRule {
  return {
    name: 'wws',
    text: `wws=${share}`,
    evaluate({ dirtyPages, lastDirtyPages }) {
      if (dirtyPages <= share * lastDirtyPages) return undefined
      return { rule: 'wws', numbers: { dirtyPages, lastDirtyPages, share } }
    },
  }
}

/** Stop when more than `factor` times the guest's memory was sent (Xen: 3). */
export function budgetRule(factor: number): StopRule {
  return {
    name: 'budget',
    text: `budget=${factor}`,
    evaluate({ firstRoundBytes, laterRoundsBytes, memoryBytes }) {
      const totalBytes = firstRoundBytes + laterRoundsBytes
      if (totalBytes <= factor * memoryBytes) return undefined
      return { rule: 'budget', numbers: { totalBytes, memoryBytes, factor } }
    },
  }
}

/** Fires when all of `rules` do; their numbers together are its own. */
function allOf(rules: readonly StopRule[]): StopRule {
  const [first, ...others] = rules
  if (others.length === 0) return first!
  const name = rules.map((rule) => rule.name).join('+')
  return {
    name,
    text: rules.map((rule) => rule.text).join('+'),
    meansShortPause: rules.some(({ meansShortPause = false }) => meansShortPause),
    evaluate(statistics) {
      const decisions = rules.map((rule) => rule.evaluate(statistics))
      if (decisions.includes(undefined)) return undefined
      const numbers = Object.assign({}, ...decisions.map((decision) => decision!.numbers))
      return { rule: name, numbers }
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

interface Parser {
  readonly parse: (value: string) => StopRule
  /** Its value where none is given; absent where it must be. */
  readonly fallback?: string
}

const parsers: Readonly<Record<string, Parser>> = {
  downtime: { parse: (value) => downtimeRule(parseDurationMs(value)) },
  'max-rounds': { parse: (value) => maxRoundsRule(parsePositive('max-rounds', value)) },
  'few-dirty': { parse: (value) => fewDirtyRule(parsePositive('few-dirty', value)) },
  ratio: { parse: (value) => ratioRule(parseAmount('ratio', value)), fallback: '0.75' },
  wws: { parse: (value) => wwsRule(parseAmount('wws', value)), fallback: '0.9' },
  budget: { parse: (value) => budgetRule(parseAmount('budget', value)), fallback: '3' },
}

function parsePositive(name: string, value: string): number {
  const number = Number(value)
  if (!Number.isInteger(number) || number < 1) {
    throw new GodwitError('USAGE', `${name}=${value}: expected a whole number from 1 on`)
  }
  return number
}

function parseAmount(name: string, value: string): number {
  const number = Number(value)
  if (!Number.isFinite(number) || number <= 0) {
    throw new GodwitError('USAGE', `${name}=${value}: expected a number above 0`)
  }
  return number
}

function parseRule(text: string): StopRule {
  const [name = '', ...values] = text.split('=')
  const parser = Object.hasOwn(parsers, name) ? parsers[name]! : undefined
  const value = values.length === 0 ? parser?.fallback : values.join('=')
  if (parser !== undefined && value !== undefined && value !== '') return parser.parse(value)
  const known = Object.keys(parsers).join(', ')
  throw new GodwitError(
    'USAGE',
    `"${text}" is not a stop rule; the rules are NAME=VALUE of ${known}, and A+B for both`,
  )
}

/** `ratio` only where rounds leave no less any more: else another one may bring `downtime`. */
export const STOP_DEFAULT = 'downtime=300ms,ratio=0.75+wws=0.9,max-rounds=30,few-dirty=50'
/** Always in force, so that pre-copy ends even when the user's rules never fire. */
const roundsMax = 30
export const roundCap: StopRule = maxRoundsRule(roundsMax)

/**
 * Parses `downtime=300ms,ratio=0.75+wws=0.9`: the first that fires; of those joined by `+` all
 * must. A cap of 30 rounds is added where `max-rounds` is not given.
 *
 * @throws {GodwitError} `USAGE`
 */
export function parseStop(text: string): readonly StopRule[] {
  const rules = text.split(',').map((part) => allOf(part.split('+').map(parseRule)))
  return rules.some((rule) => rule.name === 'max-rounds') ? rules : [...rules, roundCap]
}

/** How the rules are written. */
export function formatStop(rules: readonly Pick<StopRule, 'text'>[]): string {
  return rules.map(({ text }) => text).join(',')
}
