/**
 * What a paper says, as data: only what its text states, with the place where it does.
 *
 * @module
 */
import type { Cell } from './cell.ts'
import { groupOf } from './cell.ts'
import type { MetricId } from './measure.ts'

/** Of one way against another: so many percent, or a direction without a number. */
export type Says =
  | { readonly kind: 'change'; readonly percent: number }
  | { readonly kind: 'less' | 'more' | 'same' }

export interface Claim {
  /** Section, figure or table. */
  readonly where: string
  readonly quote: string
  /** The loads that it is about, and sizes of memory; all where absent. */
  readonly loads?: readonly string[]
  readonly memoryBytes?: readonly number[]
  readonly way: string
  readonly against: string
  readonly metric: MetricId
  readonly says: Says
}

/** A claim and a group of cells that it is about. */
export interface Subject {
  readonly claim: Claim
  readonly group: string
}

/** Each claim with every group that it is about and that has both of its ways. */
export function subjectsOf(claims: readonly Claim[], cells: readonly Cell[]): readonly Subject[] {
  const groups = Map.groupBy(cells, groupOf)
  return claims.flatMap((claim) =>
    [...groups]
      .filter(([, members]) => isAbout(claim, members))
      .map(([group]) => ({ claim, group })),
  )
}

function isAbout({ loads, memoryBytes, way, against }: Claim, members: readonly Cell[]): boolean {
  const [first] = members
  const ways = new Set(members.map((cell) => cell.way))
  return (
    ways.has(way) &&
    ways.has(against) &&
    (loads?.includes(first!.load) ?? true) &&
    (memoryBytes?.includes(first!.memoryBytes) ?? true)
  )
}
