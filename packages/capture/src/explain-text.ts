/**
 * The facts of a capture as lines of text.
 *
 * @module
 */
import { formatBytes, formatCount, formatDurationMs } from '@godwit/core'
import { batchText } from './batch-summary.ts'
import type { Fact, Fault } from './explain.ts'
import type { Side } from './layout.ts'
import { DROPPED } from './layout.ts'
import { safeText, valueText } from './short-value.ts'

const arrows: Readonly<Record<Side, string>> = { source: 'S', destination: 'D' }

/** What stands above the lines. */
export const explainColumns: string =
  `${'ms'.padStart(12)}  ${'channel'.padEnd(14)} from ${'seq'.padStart(5)}  ` +
  `${'offset'.padStart(10)}  frame`

/** One or several lines, without the last line's end. */
export function factText(fact: Fact): string {
  switch (fact.type) {
    case 'capture':
      return `captured at the ${fact.side}, begun ${fact.started}\n${explainColumns}`
    case 'opened':
      return lineText(fact, `channel ${fact.channel} opened: ${safeText(fact.remote)}`)
    case 'preface':
      return lineText(fact, `Preface {session: ${fact.session}, epoch: ${fact.epoch}}`)
    case 'frame':
      return frameText(fact)
    case 'skipped':
      return lineText(fact, `${fact.frames} optional frames of unknown types: skipped`)
    case 'broken':
      return lineText(fact, `BROKEN ${faultText(fact.fault)}; the rest of it is not looked at`)
    case 'closed':
      return lineText(fact, `channel ${fact.channel} closed${reasonText(fact)}`)
    case 'damaged':
      return `DAMAGED at offset ${fact.at}: ${faultText(fact.fault)}`
    case 'end':
      return endText(fact)
  }
}

function lineText(
  fact: Fact & { readonly at: number; readonly name: string },
  text: string,
): string {
  const { timeMs, name, at } = fact as Fact & { readonly type: 'opened' }
  const from = 'from' in fact ? arrows[fact.from] : ''
  const sequence = 'sequence' in fact ? String(fact.sequence) : ''
  return (
    `${timeMs.toFixed(3).padStart(12)}  ${name.padEnd(14)} ${from.padEnd(4)} ` +
    `${sequence.padStart(5)}  ${String(at).padStart(10)}  ${text}`
  )
}

function frameText(fact: Fact & { readonly type: 'frame' }): string {
  const { frame, batch, body, fault, bytes } = fact
  if (fault !== undefined) {
    return lineText(fact, `${frame} of ${bytes} bytes: WRONG ${faultText(fault)}`)
  }
  if (batch === undefined) {
    return lineText(fact, `${frame} ${Object.keys(body!).length === 0 ? '' : valueText(body!)}`)
  }
  const line = lineText(fact, `${frame} ${batchText(batch)}`)
  return batch.payload === undefined ? line : [line, ...hexLines(batch.payload)].join('\n')
}

const hexColumns = 64

function hexLines(hex: string): string[] {
  const lines: string[] = []
  for (let at = 0; at < hex.length; at += hexColumns) {
    lines.push(`${String(at / 2).padStart(12)}  ${hex.slice(at, at + hexColumns)}`)
  }
  return lines
}

function reasonText({ reason, cut }: Fact & { readonly type: 'closed' }): string {
  const within = cut.length === 0 ? '' : `, within what the ${cut.join(' and the ')} was saying`
  if (reason === '') return within
  return `: ${reason === DROPPED ? 'dropped by the side that captured' : safeText(reason)}${within}`
}

function faultText({ code, text }: Fault): string {
  return `${code}: ${safeText(text)}`
}

const ends = {
  ended: 'to its end',
  unfinished: 'without an end: whoever wrote it died, or goes on',
  torn: 'up to a chunk that is not whole: whoever wrote it died, or goes on',
  damaged: 'up to the damage',
} as const

function endText(fact: Fact & { readonly type: 'end' }): string {
  const { end, durationMs, channels, frames, bytes, batches, pages, faults } = fact
  const saying = (['source', 'destination'] as const).map((side) => {
    return `${side}: ${formatCount(frames[side])} frames, ${formatBytes(bytes[side])}`
  })
  const counts = Object.entries(pages).map(([name, count]) => `${formatCount(count)} ${name}`)
  return [
    `${formatDurationMs(durationMs)}, ${channels} channels; read ${ends[end]}`,
    ...saying,
    `pages in ${formatCount(batches)} batches: ${counts.join(', ') || 'none'}`,
    `faults: ${faults}`,
  ].join('\n')
}
