/**
 * How much bandwidth a round gets: what a policy is told, and how policies are written
 * (`--bandwidth`). Each policy is a file of its own.
 *
 * @module
 */
import { GodwitError, parseRate } from '@godwit/core'
import { bdaBandwidth } from './bda.ts'
import { bdaSmoothBandwidth } from './bda-smooth.ts'
import { CLARK_DEFAULTS, clarkBandwidth } from './clark.ts'
import { fixedBandwidth } from './fixed.ts'
import type { NamedChoice } from './named-choice.ts'
import { onlyOptions, parseChoice } from './named-choice.ts'

/** What a policy may look at when a round is about to begin. All rates are in bytes per second. */
export interface BandwidthStatistics {
  /** The round that is about to begin, from 1. */
  readonly round: number
  /**
   * Whether the guest does not run at the source any more: the last round, of stop-and-copy, or the
   * pages that follow in post-copy.
   */
  readonly isLast: boolean
  /**
   * Bytes of guest memory dirtied per second, by round: the first one while round 1 was sent. One
   * for every round before this one.
   */
  readonly dirtyRates: readonly number[]
  /** What others make of the link; 0 where the policy did not ask for it. */
  readonly usedByOthers: number
}

/** Decides a cap for each round. Pure: the same statistics give the same rate. */
export interface BandwidthPolicy {
  readonly name: string
  /** As the user writes it. */
  readonly setting: string
  /** Whether it looks at {@link BandwidthStatistics.usedByOthers}, which costs a measurement. */
  readonly measuresLink: boolean
  /**
   * Bytes per second, more than 0; `Infinity` for no cap. Asked for a round that begins, and before
   * that for what the pause would get.
   */
  grant(statistics: BandwidthStatistics): number
}

export const BANDWIDTH_DEFAULT = 'fixed'
export const BANDWIDTH_NAMES = ['fixed', 'clark', 'bda', 'bda-smooth'] as const
export type BandwidthName = (typeof BANDWIDTH_NAMES)[number]

type Parser = (choice: NamedChoice) => BandwidthPolicy

const parsers: Readonly<Record<BandwidthName, Parser>> = {
  fixed(choice) {
    onlyOptions(choice, ['rate'])
    return fixedBandwidth(rateOf(choice, 'rate') ?? Infinity, choice.text)
  },
  clark(choice) {
    onlyOptions(choice, ['min', 'max', 'add'])
    const most = rateOf(choice, 'max')
    const min = rateOf(choice, 'min') ?? Math.min(CLARK_DEFAULTS.min, most ?? Infinity)
    const max = most ?? Math.max(min, CLARK_DEFAULTS.max)
    if (min > max) throw new GodwitError('USAGE', `"${choice.text}": min is above max`)
    return clarkBandwidth(
      { min, max, add: rateOf(choice, 'add') ?? CLARK_DEFAULTS.add },
      choice.text,
    )
  },
  bda: (choice) => bdaBandwidth(linkOf(choice), choice.text),
  'bda-smooth': (choice) => bdaSmoothBandwidth(linkOf(choice), choice.text),
}

/** Parses `bda,link=1Gbit`. @throws {GodwitError} `USAGE` */
export function parseBandwidth(text: string): BandwidthPolicy {
  const choice = parseChoice(text, 'bandwidth policy', BANDWIDTH_NAMES)
  return parsers[choice.name](choice)
}

/** A rate with its unit, more than 0, or undefined where it is not given. */
function rateOf({ options, text }: NamedChoice, name: string): number | undefined {
  const value = options.get(name)
  if (value === undefined) return undefined
  try {
    return parseRate(value)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : ''
    throw new GodwitError('USAGE', `"${text}", ${name}: ${why}`, { cause })
  }
}

function linkOf(choice: NamedChoice): { readonly link: number; readonly used: number | undefined } {
  onlyOptions(choice, ['link', 'used'])
  const link = rateOf(choice, 'link')
  if (link === undefined) {
    throw new GodwitError(
      'USAGE',
      `"${choice.text}" takes link=RATE: what the link to the destination carries, like link=1Gbit`,
    )
  }
  const used = choice.options.get('used') === '0' ? 0 : rateOf(choice, 'used')
  return { link, used }
}
