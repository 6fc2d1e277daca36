/**
 * What a case is, and what it is given.
 *
 * @module
 */
import type { Trace } from './trace.ts'

/** Which side is under test; the suite plays the other one. */
export type Role = 'destination' | 'source'

/** One thing that is tried. `Context` is what the role's cases are given. */
export interface Case<Context> {
  /** `frames/flags`. */
  readonly name: string
  /** Clauses that it passes or fails. */
  readonly clauses: readonly string[]
  /** How a source is to be asked to move its guest; default: `pre-copy`. */
  readonly mode?: 'pre-copy' | 'post-copy'
  /** @throws {Failure} {@link Skip} */
  readonly play: (context: Context) => Promise<void>
}

/** The same for any role. */
export interface CaseContext {
  readonly trace: Trace
  /** How long an answer may take. */
  readonly timeoutMs: number
  /** Of long lists of variants every n-th only; 1: all. */
  readonly every: number
}

/** What is tried of a long list: a different part of every list. */
export function sample<T>(items: readonly T[], every: number, offset = 0): readonly T[] {
  return items.filter((_item, index) => (index + offset) % every === 0)
}
