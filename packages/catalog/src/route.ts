/**
 * Where a guest migrates to: to a machine that has a sibling of it, by the cheapest way
 * (ESCDR 3.1 and 3.3).
 *
 * @module
 */
import type { Candidate, Criterion, Need, Ranking, Reason } from './ranking.ts'
import { objectionTo, lastCriteria, rank } from './ranking.ts'
import type { LinkRecord } from './records.ts'
import type { Path } from './shortest-path.ts'
import { cheapestPaths } from './shortest-path.ts'

/** A machine that a guest may migrate to. */
export interface Destination extends Candidate {
  /** The way there; undefined when there is none. */
  readonly path: Path | undefined
}

/** By the sum of the links' costs, or by how many links there are. */
export type PathMeasure = 'cheapest' | 'shortest'

/**
 * Candidates with the way to each. Where the catalog has no links at all, all machines are as near.
 *
 * @throws {GodwitError} `USAGE` for a link whose cost is negative or no number
 */
export function destinationsOf(
  candidates: readonly Candidate[],
  links: readonly LinkRecord[],
  source: string,
  measure: PathMeasure,
): readonly Destination[] {
  const measured = measure === 'cheapest' ? links : links.map((link) => ({ ...link, cost: 1 }))
  const paths = cheapestPaths(measured, source)
  return candidates.map((candidate) => {
    const machines = [source, candidate.machine]
    const direct = { cost: 0, machines, bandwidthBytesPerSecond: Infinity }
    return { ...candidate, path: links.length === 0 ? direct : paths.get(candidate.machine) }
  })
}

/**
 * Machines with room that the source reaches: with a sibling or an image first, then by the cost of
 * the path, then load, then most free memory, then name.
 */
export function rankForRoute(
  destinations: readonly Destination[],
  source: string,
  need: Need,
): Ranking<Destination> {
  return rank(destinations, criteria, (destination): Reason | undefined => {
    if (destination.machine === source) return { rule: 'source', text: 'the guest is there' }
    if (destination.path === undefined) {
      return { rule: 'unreachable', text: `no path from ${source}` }
    }
    return objectionTo(destination, need)
  })
}

const hasSibling = ({ siblings, images }: Candidate): boolean => siblings + images > 0

const criteria: readonly Criterion<Destination>[] = [
  {
    rule: 'sibling',
    value: (destination) => (hasSibling(destination) ? 0 : 1),
    text: (better) => ({ won: `${siblingText(better)}, the other none`, lost: 'no sibling' }),
  },
  {
    rule: 'path',
    value: ({ path }) => path!.cost,
    text: ({ path: better }, { path: worse }) => ({
      won: `path costs ${better!.cost}, the other ${worse!.cost}`,
      lost: `path costs ${worse!.cost}, the choice ${better!.cost}`,
    }),
  },
  ...lastCriteria,
]

function siblingText({ siblings, images }: Candidate): string {
  if (siblings > 0) return siblings === 1 ? 'a sibling runs there' : `${siblings} siblings`
  return images === 1 ? 'an image lies there' : `${images} images`
}
