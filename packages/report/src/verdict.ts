/**
 * A migration in one sentence.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import { outcomeText } from '@godwit/core'
import { bytesText, durationText, shareText } from './figure.ts'
import { plainText } from './markup.ts'

/** Whether all went well, went but with an error beside it, or did not. */
export type Tone = 'good' | 'bad' | 'mixed'

export function toneOf({ outcome, error }: Report): Tone {
  if (outcome !== 'completed') return 'bad'
  return error === undefined ? 'good' : 'mixed'
}

/** `Completed`, or what became of the guest: `Failed; the guest goes on at the source`. */
export function outcomeTitle(report: Report): string {
  if (report.outcome === 'completed') return 'Completed'
  const text = outcomeText(report, `at the ${report.role}`)
  return text[0]!.toUpperCase() + text.slice(1)
}

/** `A writer guest of 256 MiB moved by pre-copy in 1.63 s and stood still for 24 ms; ...` */
export function verdict(report: Report): string {
  const { totalMs, downtimeMs, outcome } = report
  const isDone = outcome === 'completed'
  const verb = isDone ? (report.role === 'source' ? 'moved' : 'arrived') : 'was to move'
  const times = [
    totalMs === undefined ? '' : ` in ${durationText(totalMs)}`,
    downtimeMs === undefined ? '' : ` and stood still for ${durationText(downtimeMs)}`,
  ]
  const how = report.mode === undefined ? '' : ` by ${report.mode}`
  const until = isDone ? times.join('') : untilText(report)
  return `${guestText(report)} ${verb}${how}${until}; ${wireText(report)}.`
}

/** `A writer guest of 256 MiB` */
export function guestText({ guest, memoryBytes }: Report): string {
  const article = /^[aeiou]/i.test(guest?.kind ?? '') ? 'An' : 'A'
  const kind = guest === undefined ? 'A guest' : `${article} ${plainText(guest.kind)} guest`
  return memoryBytes === undefined ? kind : `${kind} of ${bytesText(memoryBytes)}`
}

function untilText({ stages }: Report): string {
  const last = stages.at(-1)
  if (last === undefined) return ''
  return `, and got as far as ${plainText(last.name)}, ${durationText(last.atMs)} after its start`
}

function wireText({ wireBytes, memoryBytes = 0, outcome }: Report): string {
  const verb = outcome === 'completed' ? 'went' : 'had gone'
  const bytes = `${bytesText(wireBytes)} ${verb} over the wire`
  return memoryBytes === 0 ? bytes : `${bytes}, ${shareText(wireBytes / memoryBytes)} of its memory`
}
