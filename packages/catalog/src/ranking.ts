/**
 * Machines in order of preference, each with what it is where it is for.
 *
 * @module
 */
import { formatBytes } from '@godwit/core'

/** A machine as a guest that looks for one sees it. */
export interface Candidate {
  readonly machine: string
  /** Where its agent listens; null when it does not. */
  readonly address: string | null
  readonly freeBytes: number
  /** Runnable tasks per core. */
  readonly load: number
  /** Guests of the pair that the catalog has there, whatever their state. */
  readonly ofPair: number
  /** Those that run: their memory can be read. */
  readonly siblings: number
  /** Those that are stored, with a file of memory. */
  readonly images: number
  /** Whether its agent was heard of in time. */
  readonly isLive: boolean
}

/** What a guest needs of any machine. */
export interface Need {
  readonly memoryBytes: number
  /** Machines with more load are left out. */
  readonly loadMax?: number
}

/** What decides between two machines, or keeps one out. */
export type Rule =
  | 'pair'
  | 'sibling'
  | 'path'
  | 'load'
  | 'memory'
  | 'name'
  | 'source'
  | 'silent'
  | 'room'
  | 'busy'
  | 'unreachable'

export interface Reason {
  readonly rule: Rule
  /** The machine it is compared with: of the choice the next best, of all others the choice. */
  readonly against?: string
  readonly text: string
}

/** One thing to compare by; less is better. */
export interface Criterion<Kind> {
  readonly rule: Rule
  readonly value: (candidate: Kind) => number
  /** What is said of the one that this decided for or against. */
  readonly text: (better: Kind, worse: Kind) => { readonly won: string; readonly lost: string }
}

/** A machine that could take the guest; the first is the choice. */
export type Ranked<Kind> = Kind & { readonly reason: Reason }

export interface Ranking<Kind> {
  /** Best first. */
  readonly ranked: readonly Ranked<Kind>[]
  /** Those that cannot, by name. */
  readonly refused: readonly Ranked<Kind>[]
}

/** By load, then free memory, then name: what every choice ends with. */
export const lastCriteria: readonly Criterion<Candidate>[] = [
  {
    rule: 'load',
    value: ({ load }) => load,
    text: (better, worse) => ({
      won: `load ${formatLoad(better)}, the other ${formatLoad(worse)}`,
      lost: `load ${formatLoad(worse)}, the choice ${formatLoad(better)}`,
    }),
  },
  {
    rule: 'memory',
    value: ({ freeBytes }) => -freeBytes,
    text: (better, worse) => ({
      won: `${formatBytes(better.freeBytes)} free, the other ${formatBytes(worse.freeBytes)}`,
      lost: `${formatBytes(worse.freeBytes)} free, the choice ${formatBytes(better.freeBytes)}`,
    }),
  },
]

/**
 * Puts machines in order. The choice is told what it has over the next one; all others what they
 * lack, against the choice. The order in which they come does not matter: names decide in the end.
 */
export function rank<Kind extends Candidate>(
  candidates: readonly Kind[],
  criteria: readonly Criterion<Kind>[],
  objection: (candidate: Kind) => Reason | undefined,
): Ranking<Kind> {
  const fit: Kind[] = []
  const refused: Ranked<Kind>[] = []
  for (const candidate of candidates) {
    const reason = objection(candidate)
    if (reason === undefined) fit.push(candidate)
    else refused.push({ ...candidate, reason })
  }
  fit.sort((a, b) => compare(a, b, criteria))
  refused.sort((a, b) => compareNames(a, b))
  const [choice, next] = fit
  const ranked = fit.map((candidate, place) => ({
    ...candidate,
    reason:
      place > 0
        ? decided(choice!, candidate, criteria, 'lost')
        : next === undefined
          ? { rule: 'room' as const, text: 'no other can take it' }
          : decided(candidate, next, criteria, 'won'),
  }))
  return { ranked, refused }
}

/** What keeps a guest off a machine, whichever way it is to get there. */
export function objectionTo(candidate: Candidate, need: Need): Reason | undefined {
  const { memoryBytes, loadMax } = need
  if (!candidate.isLive) return { rule: 'silent', text: 'its agent is silent' }
  if (candidate.freeBytes < memoryBytes) {
    const text = `${formatBytes(candidate.freeBytes)} free, ${formatBytes(memoryBytes)} needed`
    return { rule: 'room', text }
  }
  if (loadMax !== undefined && candidate.load > loadMax) {
    return { rule: 'busy', text: `load ${formatLoad(candidate)}, ${loadMax} allowed` }
  }
  return undefined
}

function compare<Kind extends Candidate>(
  a: Kind,
  b: Kind,
  criteria: readonly Criterion<Kind>[],
): number {
  for (const { value } of criteria) {
    const [left, right] = [value(a), value(b)]
    if (left !== right) return left - right
  }
  return compareNames(a, b)
}

function compareNames(a: Candidate, b: Candidate): number {
  return a.machine < b.machine ? -1 : a.machine > b.machine ? 1 : 0
}

function decided<Kind extends Candidate>(
  better: Kind,
  worse: Kind,
  criteria: readonly Criterion<Kind>[],
  side: 'won' | 'lost',
): Reason {
  const against = side === 'won' ? worse.machine : better.machine
  const one = criteria.find(({ value }) => value(better) !== value(worse))
  if (one === undefined)
    return { rule: 'name', against, text: `equal; the name is ${orders[side]}` }
  return { rule: one.rule, against, text: one.text(better, worse)[side] }
}

const orders = { won: 'earlier', lost: 'later' }

function formatLoad({ load }: Candidate): string {
  return String(Math.round(load * 1000) / 1000)
}
