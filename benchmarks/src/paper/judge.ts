/**
 * What a measurement says of a paper's claim: a pure function of the claim and of what was
 * measured, pair by pair. Where the two contradict each other it says so.
 *
 * @module
 */
import { median } from 'simple-statistics'
import type { Claim, Says } from './claim.ts'
import { metricOf } from './measure.ts'

/** Fewer pairs than this prove nothing. */
export const PAIRS_MIN = 3
/** "Almost the same" is no more than so many percent, either way. */
export const SAME_PERCENT = 5

/**
 * `contradicts`: every pair says the opposite. `agrees`: every pair goes the paper's way, and its
 * figure, if it has one, lies within the spread. `weaker`, `stronger`: every pair goes its way,
 * none as far, or each farther. `not seen`: not every pair goes its way, nor every one the
 * opposite, and none is as far as the paper's figure. `undecided`: the spread does not tell.
 */
export type Ruling = 'agrees' | 'weaker' | 'stronger' | 'contradicts' | 'not seen' | 'undecided'

export interface Verdict {
  readonly ruling: Ruling
  /** Change in percent, pair by pair. */
  readonly percents: readonly number[]
}

/** Pair by pair, in percent: -10 is a tenth less. */
export function changesOf(ours: readonly number[], against: readonly number[]): readonly number[] {
  return ours.map((value, i) => 100 * (value / against[i]! - 1))
}

export function judge(says: Says, percents: readonly number[]): Verdict {
  return { ruling: rulingOf(says, percents), percents: [...percents] }
}

function rulingOf(says: Says, percents: readonly number[]): Ruling {
  if (percents.length < PAIRS_MIN || !percents.every(Number.isFinite)) return 'undecided'
  if (says.kind === 'same') return sameness(percents)
  const isLess = says.kind === 'less' || (says.kind === 'change' && says.percent < 0)
  const sign = isLess ? -1 : 1
  // Turned round where the paper says "less": above 0 is the paper's way from here on.
  const turned = percents.map((percent) => sign * percent)
  const [low, high] = [Math.min(...turned), Math.max(...turned)]
  if (high < 0) return 'contradicts'
  const figure = says.kind === 'change' ? sign * says.percent : undefined
  if (low > 0) {
    if (figure === undefined) return 'agrees'
    if (high < figure) return 'weaker'
    return low > figure ? 'stronger' : 'agrees'
  }
  return figure !== undefined && high >= figure ? 'undecided' : 'not seen'
}

function sameness(percents: readonly number[]): Ruling {
  if (percents.every((percent) => Math.abs(percent) <= SAME_PERCENT)) return 'agrees'
  const [low, high] = [Math.min(...percents), Math.max(...percents)]
  return low > SAME_PERCENT || high < -SAME_PERCENT ? 'contradicts' : 'undecided'
}

const rulings: Readonly<Record<Ruling, string>> = {
  agrees: 'agrees',
  weaker: "agrees, but less than the paper's figure",
  stronger: "agrees, by more than the paper's figure",
  contradicts: 'CONTRADICTS THE PAPER',
  'not seen': 'NOT SEEN HERE: no difference beyond the spread',
  undecided: 'undecided',
}

export function formatRuling({ ruling, percents }: Verdict): string {
  const isFew = ruling === 'undecided' && percents.length < PAIRS_MIN
  return isFew ? `undecided: fewer than ${PAIRS_MIN} pairs` : rulings[ruling]
}

/** `BDA against PPC, downtime (DT)`. */
export function formatClaim({ way, against, metric }: Claim): string {
  return `${way} against ${against}, ${metricOf(metric).name}`
}

export function formatSays(says: Says): string {
  switch (says.kind) {
    case 'change':
      return `${says.percent > 0 ? '+' : ''}${says.percent} %`
    case 'same':
      return 'the same'
    case 'less':
    case 'more':
      return says.kind
  }
}

/** `-9.1 % (-12.0 ... -7.5)`. */
export function formatChanges(percents: readonly number[]): string {
  if (percents.length === 0) return 'not measured'
  const middle = formatPercent(median([...percents]))
  const [low, high] = [Math.min(...percents), Math.max(...percents)]
  return `${middle} (${signed(low)} ... ${signed(high)})`
}

function formatPercent(percent: number): string {
  return `${signed(percent)} %`
}

function signed(percent: number): string {
  if (!Number.isFinite(percent)) return '-'
  return `${percent < 0 ? '-' : '+'}${Math.abs(percent).toFixed(1)}`
}
