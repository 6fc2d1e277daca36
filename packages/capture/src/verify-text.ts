/**
 * The result of a check as text.
 *
 * @module
 */
import { formatCount } from '@godwit/core'
import { safeText } from './short-value.ts'
import type { Verification, VerifyCounts, VerifyFailure } from './verify.ts'

/** Several lines, without the last one's end. */
export function verificationText(verification: Verification): string {
  const { ok, side, counts, sessions, failure, end } = verification
  const lines = [`captured at the ${side}`]
  for (const { session, mode, version, source, destination, connections } of sessions) {
    const spoken = version === undefined ? '' : `, version ${version}`
    const many = connections > 1 ? `, ${connections} connections` : ''
    lines.push(
      `session ${session}: ${safeText(mode)}${spoken}${many}; ` +
        `in the end the source was ${source}, the destination ${destination}`,
    )
  }
  lines.push(`checked: ${countsText(counts)}`)
  if (counts.hidden > 0) {
    const pages = formatCount(counts.hidden)
    lines.push(`not checked: ${pages} pages were named only, what they hold is not in the stream`)
  }
  if (counts.skipped > 0) {
    lines.push(`${formatCount(counts.skipped)} optional frames of unknown types were skipped`)
  }
  if (counts.cut > 0) lines.push(`${counts.cut} channels were lost, or their end was not captured`)
  if (end === 'torn' || end === 'unfinished') {
    lines.push('the capture has no end: whoever wrote it died, or goes on')
  }
  lines.push(
    ok ? 'as it should be' : `NOT as it should be: ${failure!.code}: ${failureText(failure!)}`,
  )
  return lines.join('\n')
}

const names: readonly (readonly [keyof VerifyCounts, string])[] = [
  ['channels', 'channels'],
  ['frames', 'frames'],
  ['messages', 'messages'],
  ['batches', 'batches'],
  ['rounds', 'rounds'],
  ['pages', 'pages in rounds that were acknowledged'],
  ['naks', 'NAKs'],
  ['repairs', 'repairs'],
  ['checkpoints', 'checkpoints'],
  ['digests', 'digests of memory'],
]

/** Those that are always told come first. */
const alwaysTold = 6

function countsText(counts: VerifyCounts): string {
  return names
    .filter(([key], index) => index < alwaysTold || counts[key] > 0)
    .map(([key, name]) => `${formatCount(counts[key])} ${name}`)
    .join(', ')
}

/** What is wrong, and where; without its code. */
export function failureText(failure: VerifyFailure): string {
  const { text, clause, at, channel, from, sequence, frame } = failure
  const who = from === undefined ? '' : ` of the ${from}`
  const what = sequence === undefined ? (frame ?? 'channel') : `${frame ?? 'frame'} ${sequence}`
  const place = channel === undefined ? '' : `, ${channel}, ${what}${who}`
  return `${safeText(text)} (${clause}; offset ${at}${place})`
}
