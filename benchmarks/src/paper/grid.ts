/**
 * What a grid is: a paper's experiment as data.
 *
 * @module
 */
import type { Case, CaseFacts } from '../result.ts'
import type { Cell, Scale } from './cell.ts'
import type { Claim } from './claim.ts'
import type { Run } from './journal.ts'
import type { MetricId } from './measure.ts'

/** One picture: bars of every way, side by side for each value of what is varied. */
export interface Figure {
  /** Of its file. */
  readonly name: string
  /** Sizes and links that all of it has in common are added. */
  readonly title: string
  readonly metric: MetricId
  /** What is varied along the axis; cells that differ in more are left out by `shows`. */
  readonly by: 'load' | 'memoryBytes' | 'way'
  readonly shows: (cell: Cell) => boolean
}

/** A bar for the ratio of one way to the base, in every group that has both. */
export interface GridBar {
  readonly way: string
  readonly metric: MetricId
  readonly bar: NonNullable<CaseFacts['bar']>
}

export interface Grid {
  /** Of the command: `godwit bench paper NAME`. */
  readonly name: string
  readonly title: string
  /** Whose experiment it is. */
  readonly source: string
  /** The way that others are compared with in tables. */
  readonly base: string
  cells(scale: Scale): readonly Cell[]
  readonly claims: readonly Claim[]
  readonly bars: readonly GridBar[]
  /** Bars that are no ratio to the base. */
  checks?(cells: readonly Cell[], runs: readonly Run[]): readonly Case[]
  readonly figures: readonly Figure[]
  /** Whether users are told which way suits which load. */
  readonly recommends: boolean
}
