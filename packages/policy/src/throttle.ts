/**
 * How much of its time a guest loses so that it dirties less than the link carries (`--throttle`):
 * what a policy is told, and how policies are written. Each policy is a file of its own.
 *
 * @module
 */
import type { MigrationMode } from '@godwit/core'
import { GodwitError, hasRounds, parseRate } from '@godwit/core'
import type { AutoConverge } from './auto-converge.ts'
import { AUTO_CONVERGE_DEFAULTS, autoConverge } from './auto-converge.ts'
import { dirtyLimit } from './dirty-limit.ts'
import type { NamedChoice } from './named-choice.ts'
import { onlyOptions, parseChoice } from './named-choice.ts'

/** What a policy may look at when a round is over. */
export interface ThrottleStatistics {
  /** Bytes of page frames that the round sent. */
  readonly sentBytes: number
  /** Bytes of pages that were dirtied since it began. */
  readonly dirtyBytes: number
  /** Those, per second. */
  readonly dirtyRate: number
  /** How long the round took. */
  readonly ms: number
}

/** Decides the share for the next round. Pure. */
export interface ThrottlePolicy {
  readonly name: string
  /** As the user writes it. */
  readonly setting: string
  /** @returns 0 to {@link THROTTLE_SHARE_MAX} */
  next(share: number, statistics: ThrottleStatistics): number
}

/** A guest that gets nothing at all is no guest that runs. */
export const THROTTLE_SHARE_MAX = 0.99

export const THROTTLE_NAMES = ['auto-converge', 'dirty-limit'] as const

/** Parses `auto-converge` or `dirty-limit,rate=100MB`. @throws {GodwitError} `USAGE` */
export function parseThrottle(text: string): ThrottlePolicy {
  const choice = parseChoice(text, 'throttle', THROTTLE_NAMES)
  if (choice.name === 'auto-converge') return autoConverge(autoConvergeOf(choice), text)
  onlyOptions(choice, ['rate'])
  const rate = choice.options.get('rate')
  if (rate === undefined) {
    const text = 'dirty-limit takes rate=RATE: what the guest may dirty per second, like rate=50MB'
    throw new GodwitError('USAGE', text)
  }
  return dirtyLimit(parseRate(rate), text)
}

/** @throws {GodwitError} `USAGE`: in this mode there are no rounds to throttle the guest in */
export function checkThrottle(mode: MigrationMode, throttle: string | undefined): void {
  if (throttle === undefined || hasRounds(mode)) return
  throw new GodwitError('USAGE', `throttle ${throttle}: mode ${mode} has no rounds`)
}

/** Its shares, out of percentages. */
function autoConvergeOf(choice: NamedChoice): AutoConverge {
  onlyOptions(choice, ['start', 'step', 'max'])
  const read = (name: keyof AutoConverge): number => {
    const text = choice.options.get(name)
    return text === undefined ? AUTO_CONVERGE_DEFAULTS[name] : percentage(name, text) / 100
  }
  const shares = { start: read('start'), step: read('step'), max: read('max') }
  if (shares.start > shares.max) {
    throw new GodwitError('USAGE', `"${choice.text}": start is above max`)
  }
  return shares
}

function percentage(name: string, text: string): number {
  const value = Number(text)
  if (/^\d{1,2}$/.test(text) && value >= 1) return value
  throw new GodwitError('USAGE', `auto-converge, ${name}=${text}: a percentage from 1 to 99`)
}
