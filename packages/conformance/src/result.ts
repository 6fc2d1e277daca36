/**
 * What a run found, for programs: the shape of the JSON that `godwit conformance --json` writes.
 *
 * @module
 */
import * as v from 'valibot'
import type { Role } from './case.ts'

/** The id of the schema. */
export const CONFORMANCE_SCHEMA = 'godwit.conformance/1'

export type Outcome = 'pass' | 'fail' | 'skipped'

/** Why a case failed. */
export interface FailureReport {
  /** The one that was broken; without it, any of the case's. */
  readonly clause?: string | undefined
  readonly expected: string
  readonly came: string
  /** The last of what both sides said. */
  readonly said: readonly string[]
}

export interface CaseResult {
  readonly name: string
  /** Those that it passes or fails. */
  readonly clauses: readonly string[]
  readonly outcome: Outcome
  /** Why it was skipped. */
  readonly reason?: string | undefined
  readonly failure?: FailureReport | undefined
}

export interface ClauseResult {
  readonly clause: string
  /** How it begins in `docs/PROTOCOL.md`. */
  readonly text: string
  readonly outcome: Outcome
  readonly reason?: string | undefined
  /** Names of the cases that were played for it. */
  readonly cases: readonly string[]
}

/** One run against one agent. */
export interface Conformance {
  readonly schema: typeof CONFORMANCE_SCHEMA
  /** Which side was under test. */
  readonly role: Role
  readonly address: string
  /** All of the specification. */
  readonly clauses: readonly ClauseResult[]
  /** Those that were played. */
  readonly cases: readonly CaseResult[]
  /** Of clauses. */
  readonly totals: { readonly pass: number; readonly fail: number; readonly skipped: number }
}

const text = v.string()
const texts = v.array(text)
const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const outcome = v.picklist(['pass', 'fail', 'skipped'])

/** Checks and documents what `--json` writes. */
export const conformanceSchema: v.GenericSchema<Conformance> = v.object({
  schema: v.literal(CONFORMANCE_SCHEMA),
  role: v.picklist(['destination', 'source']),
  address: text,
  clauses: v.array(
    v.object({
      clause: text,
      text,
      outcome,
      reason: v.optional(text),
      cases: texts,
    }),
  ),
  cases: v.array(
    v.object({
      name: text,
      clauses: texts,
      outcome,
      reason: v.optional(text),
      failure: v.optional(
        v.object({ clause: v.optional(text), expected: text, came: text, said: texts }),
      ),
    }),
  ),
  totals: v.object({ pass: count, fail: count, skipped: count }),
})
