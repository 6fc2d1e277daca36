/**
 * Runs: the reports of one migration, from one side or from both.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import type { Document } from './document.ts'

/** A report and its number on the page, from 0, in the order of the files. */
export interface Told {
  readonly index: number
  readonly name: string
  readonly report: Report
}

export interface Run {
  /** A short name that no other run of the page has. */
  readonly label: string
  /** The side that the figures are from: the source's, where it is there. */
  readonly main: Told
  /** The destination's report of the same session. */
  readonly destination?: Told
}

/** In the order of the files; a source's report takes the destination's of its session along. */
export function runsOf(documents: readonly Document[]): readonly Run[] {
  const told = documents.flatMap((one, index): Told[] =>
    one.kind === 'migration' ? [{ index, name: one.name, report: one.report }] : [],
  )
  const waiting = new Map<string, Told[]>()
  for (const one of told) {
    if (one.report.role === 'source' || one.report.sessionId === undefined) continue
    const others = waiting.get(one.report.sessionId) ?? []
    waiting.set(one.report.sessionId, [...others, one])
  }
  const pairs = new Map<Told, Told>()
  for (const one of told) {
    if (one.report.role === 'destination') continue
    const destination = waiting.get(one.report.sessionId ?? '')?.shift()
    if (destination !== undefined) pairs.set(one, destination)
  }
  const taken = new Set(pairs.values())
  const labels = new Set<string>()
  return told
    .filter((one) => !taken.has(one))
    .map((main) => {
      const destination = pairs.get(main)
      const label = freshLabel(labels, main.name)
      return destination === undefined ? { label, main } : { label, main, destination }
    })
}

/** The file's name without folder and ending, numbered where another has it. */
function freshLabel(labels: Set<string>, name: string): string {
  const bare = name.replace(/^.*[/\\]/, '').replace(/\.json$/, '') || name
  let label = bare
  for (let i = 2; labels.has(label); i++) label = `${bare} (${i})`
  labels.add(label)
  return label
}
