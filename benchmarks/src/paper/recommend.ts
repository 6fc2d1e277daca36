/**
 * Which way suits which load: a rule over medians, and nothing else.
 *
 * @module
 */

/** Medians of one way under one load. */
export interface WayFigures {
  readonly way: string
  readonly totalMs: number
  readonly downtimeMs: number
  readonly transferredBytes: number
}

export interface Recommendation {
  readonly group: string
  readonly way: string
}

export interface Recommendations {
  readonly groups: readonly Recommendation[]
  /** For those who do not know what their guest does. */
  readonly overall?: string | undefined
  /** In the worst load, how many times the best time or bytes that one takes. */
  readonly worstRatio?: number | undefined
}

/** A pause below this is short enough. */
const downtimeMs = 50
const downtimeSlack = 1.1
const totalSlack = 1.05
const bytesSlack = 1.02

export const RULE: string =
  `Of the ways that never failed and whose downtime is below ${downtimeMs} ms or within 10 % of ` +
  'the shortest, those whose total time is within 5 % of the shortest; of those the one that ' +
  'sends the fewest bytes, and of several within 2 % of that, the simplest. For a load that is ' +
  'not known: the way whose total time or bytes, whichever is worse, are the fewest times the ' +
  'best ones in its worst load.'

/** @param groups - each with its ways, the simplest first, all of them measured */
export function recommend(groups: ReadonlyMap<string, readonly WayFigures[]>): Recommendations {
  const known = [...groups].filter(([, ways]) => ways.length > 0)
  const chosen = known.map(([group, ways]) => ({ group, way: bestOf(ways) }))
  const [first] = known
  const everywhere = (first?.[1] ?? [])
    .map(({ way }) => way)
    .filter((way) => known.every(([, ways]) => ways.some((one) => one.way === way)))
  const worst = everywhere.map((way) => ({ way, ratio: worstOf(way, known) }))
  const least = Math.min(...worst.map(({ ratio }) => ratio))
  const overall = worst.find(({ ratio }) => ratio <= least * bytesSlack)
  return { groups: chosen, overall: overall?.way, worstRatio: overall?.ratio }
}

function bestOf(ways: readonly WayFigures[]): string {
  const shortest = least(ways, 'downtimeMs')
  const brief = ways.filter(
    (one) => one.downtimeMs <= Math.max(downtimeMs, shortest * downtimeSlack),
  )
  const total = least(brief, 'totalMs')
  const quick = brief.filter((one) => one.totalMs <= total * totalSlack)
  const bytes = least(quick, 'transferredBytes')
  return quick.find((one) => one.transferredBytes <= bytes * bytesSlack)!.way
}

function worstOf(
  way: string,
  groups: readonly (readonly [string, readonly WayFigures[]])[],
): number {
  const ratios = groups.flatMap(([, ways]) => {
    const own = ways.find((one) => one.way === way)!
    return (['totalMs', 'transferredBytes'] as const).map((figure) => {
      const best = least(ways, figure)
      return best > 0 ? own[figure] / best : 1
    })
  })
  return Math.max(...ratios)
}

function least(ways: readonly WayFigures[], figure: Exclude<keyof WayFigures, 'way'>): number {
  return Math.min(...ways.map((one) => one[figure]))
}
