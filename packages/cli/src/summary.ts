/**
 * The summary of a migration, for people.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import {
  formatBytes,
  formatCount,
  formatDurationMs,
  formatRate,
  formatShare,
  outcomeText,
  stopText,
} from '@godwit/core'
import Table from 'cli-table3'
import { plain, style } from './plain-table.ts'
import { printable } from './printable.ts'

/** Page counts that are shown even where they are 0. */
const alwaysShown: ReadonlySet<string> = new Set(['raw', 'zero', 'unchanged'])

type Rows = [string, string][]

/** A table of what happened; several lines, without a line feed at the end. */
export function formatSummary(report: Report): string {
  const rows: Rows = []
  addOutcome(rows, report)
  addTimes(rows, report)
  addRecoveries(rows, report)
  addTraffic(rows, report)
  addCompeting(rows, report)
  addFaults(rows, report)
  addCheckpoints(rows, report)
  addProof(rows, report)
  const table = new Table({ chars: plain, style, wordWrap: true, colWidths: [15, 85] })
  // Peers say some of it.
  table.push(...rows.map((row) => row.map((cell) => printable(cell))))
  const parts = [table.toString(), formatRounds(report)].filter((text) => text !== '')
  return parts.join('\n\n').replaceAll(/ +$/gm, '')
}

function addOutcome(rows: Rows, report: Report): void {
  rows.push(['outcome', outcomeText(report)])
  if (report.error !== undefined) {
    const { code, text, phase } = report.error
    rows.push(['error', `${code} in ${phase}: ${text}`])
  }
  if (report.guest !== undefined && report.memoryBytes !== undefined) {
    const tracker = report.tracker === undefined ? '' : `, tracker ${report.tracker}`
    const memory = formatBytes(report.memoryBytes)
    rows.push(['guest', `${report.guest.kind}, ${memory}, mode ${report.mode}${tracker}`])
  }
}

/** Rounds and pages that were lost are told nowhere else. */
function addRecoveries(rows: Rows, { recoveries }: Report): void {
  if (recoveries === undefined) return
  const times = recoveries === 1 ? 'once' : `${formatCount(recoveries)} times`
  rows.push([
    'interrupted',
    `${times} after the hand-over; rounds and pages that were lost are not listed`,
  ])
}

function addTimes(rows: Rows, report: Report): void {
  const { downtime, downtimeMs, totalMs, reservationMs, verifyMs, stop, decisions = [] } = report
  if (downtimeMs !== undefined && downtime !== undefined) {
    const { pauseMs, pagesMs, stateMs, resumeMs } = downtime
    const parts = [
      `pause ${formatDurationMs(pauseMs)}`,
      `pages ${formatDurationMs(pagesMs)}`,
      `state ${formatDurationMs(stateMs)}`,
      `resume ${formatDurationMs(resumeMs)}`,
    ]
    rows.push(['downtime', `${formatDurationMs(downtimeMs)} (${parts.join(', ')})`])
  }
  if (totalMs !== undefined) {
    const apart = [
      reservationMs === undefined ? '' : `reservation ${formatDurationMs(reservationMs)}`,
      verifyMs === undefined ? '' : `verification ${formatDurationMs(verifyMs)}`,
    ].filter((text) => text !== '')
    const besides = apart.length === 0 ? '' : ` (apart: ${apart.join(', ')})`
    rows.push(['total', `${formatDurationMs(totalMs)}${besides}`])
  }
  if (stop !== undefined && stop.rule !== 'mode') {
    rows.push(['stopped by', `${stop.rule}: ${stopText(stop)}`])
  }
  for (const { round, text } of decisions) {
    rows.push(['decided', `round ${round}: ${printable(text)}`])
  }
}

function addTraffic(rows: Rows, report: Report): void {
  const { pages, savedBytes, cpu, overheadBytes } = report
  rows.push(['on the wire', formatBytes(report.wireBytes)])
  if (pages !== undefined) {
    const used = Object.entries(pages).filter(([name, n]) => n > 0 || alwaysShown.has(name))
    const counts = used.map(([name, count]) => `${formatCount(count)} ${name}`)
    rows.push(['pages', counts.join(', ')])
  }
  if (savedBytes !== undefined) {
    const saved = Object.entries(savedBytes).map(([name, n]) => `${name} ${formatBytes(n)}`)
    rows.push(['saved', saved.join(', ')])
  }
  addEncoding(rows, report)
  addDropped(rows, report)
  addStatic(rows, report)
  if (cpu !== undefined) {
    const { sourceSeconds, destinationSeconds } = cpu
    rows.push([
      'agent CPU',
      `source ${seconds(sourceSeconds)}, destination ${seconds(destinationSeconds)}`,
    ])
  }
  if (overheadBytes !== undefined) {
    const { source, destination } = overheadBytes
    rows.push(['agent memory', `source ${bytes(source)}, destination ${bytes(destination)}`])
  }
}

/** How pages were encoded, and why so. */
function addEncoding(rows: Rows, { encoding }: Report): void {
  if (encoding === undefined) return
  const { cache, store, compression, heldPages, repairedPages } = encoding
  const lines: string[] = []
  if (heldPages > 0) lines.push(`${formatCount(heldPages)} pages were dirty again, and held back`)
  if (repairedPages > 0) lines.push(`${formatCount(repairedPages)} pages sent once more`)
  if (cache !== undefined && cache.hits + cache.misses > 0) {
    const lookups = formatCount(cache.hits + cache.misses)
    const rate = (cache.hitRate * 100).toFixed(0)
    lines.push(`cache ${limited(cache)}, hit by ${rate} % of ${lookups} lookups`)
  }
  if (store !== undefined) lines.push(`store ${limited(store)}`)
  if (compression !== undefined) {
    const { algorithm, reason } = compression
    lines.push(reason === undefined ? algorithm : `${algorithm}, ${reason}`)
  }
  if (lines.length > 0) rows.push(['encoding', lines.join('; ')])
}

function addDropped(rows: Rows, { droppedPages }: Report): void {
  if (droppedPages === undefined) return
  rows.push(['dropped', `${formatCount(droppedPages)} pages that the guest gave up: zero there`])
}

/** What the destination had before. */
function addStatic(rows: Rows, { static: known }: Report): void {
  if (known === undefined) return
  const { mode, os, hypervisor, mapVersion, entries, heldEntries, repairedPages = 0 } = known
  const parts: string[] = []
  if (os !== undefined) parts.push(`map ${mapVersion} of ${os} on ${hypervisor}, by ${mode}`)
  if (entries > 0) {
    parts.push(`${formatCount(heldEntries)} of ${formatCount(entries)} contents are there`)
  }
  parts.push(`${formatCount(known.pages)} pages named`)
  if (repairedPages > 0) parts.push(`${formatCount(repairedPages)} pages sent once more`)
  if (known.reason !== undefined) parts.push(known.reason)
  rows.push(['static pages', parts.join('; ')])
}

function limited({ usedBytes, limitBytes }: { usedBytes: number; limitBytes: number }): string {
  return `${formatBytes(usedBytes)} of ${formatBytes(limitBytes)}`
}

function seconds(value: number | undefined): string {
  return value === undefined ? 'unknown' : `${value.toFixed(2)} s`
}

function bytes(value: number | undefined): string {
  return value === undefined ? 'unknown' : formatBytes(value)
}

/** What else went over the link. */
function addCompeting(rows: Rows, { competing }: Report): void {
  if (competing === undefined) return
  const { bytesPerSecond, askedBytesPerSecond, bytes: sent } = competing
  const rates = `${formatRate(bytesPerSecond)} of ${formatRate(askedBytesPerSecond)}`
  rows.push(['beside it', `${rates}, ${formatBytes(sent)}`])
}

/** What the guest waited for pages. */
function addFaults(rows: Rows, { faults }: Report): void {
  if (faults === undefined) return
  const { count, p50Us, p99Us, maxUs, blockedMs } = faults
  const times = [p50Us, p99Us, maxUs].map((us) => formatDurationMs(us / 1e3)).join(' / ')
  const waits = count === 1 ? '1 wait for a page' : `${formatCount(count)} waits for pages`
  const text = count === 0 ? 'none' : `${waits}, p50 / p99 / most ${times}`
  rows.push(['faults', count === 0 ? text : `${text}, ${formatDurationMs(blockedMs)} in all`])
}

/** What came back while pages followed. */
function addCheckpoints(rows: Rows, { checkpoints }: Report): void {
  if (checkpoints === undefined) return
  const { count, bytes: traffic, pauseP50Ms, pauseMaxMs } = checkpoints
  const text = count === 0 ? 'none' : `${formatCount(count)}, ${formatBytes(traffic)}`
  const [median, most] = [formatDurationMs(pauseP50Ms), formatDurationMs(pauseMaxMs)]
  const pauses = `paused for ${median}, at most ${most}`
  rows.push(['checkpoints', count === 0 ? text : `${text}, ${pauses}`])
}

function addProof(rows: Rows, { memory, guestProof }: Report): void {
  if (memory !== undefined) {
    const text = memory.equal ? `equal (${memory.sourceDigest.slice(0, 16)})` : 'DIFFERENT'
    rows.push(['memory', text])
  }
  if (guestProof !== undefined) {
    const { stepsBefore, stepsAfter, continuous } = guestProof
    const verdict = continuous ? 'exactly as if it had never moved' : 'NOT as if it had never moved'
    const steps = `${formatCount(stepsBefore)} steps here + ${formatCount(stepsAfter)} there`
    rows.push(['computation', `${steps}: ${verdict}`])
  }
}

function orNothing(value: number | undefined, format: (value: number) => string): string {
  return value === undefined ? '' : format(value)
}

function formatRounds({ rounds }: Report): string {
  if (rounds.length === 0) return ''
  const hasHeld = rounds.some(({ heldPages }) => heldPages !== undefined)
  // Columns of policies, where there are some.
  const isCapped = rounds.some(({ grantedBandwidth }) => grantedBandwidth !== undefined)
  const isThrottled = rounds.some(({ throttle }) => throttle !== undefined)
  const held = hasHeld ? ['held'] : []
  const head = ['round', 'pages', ...held, 'bytes', 'time', 'rate', 'dirty after', 'dirty rate']
  if (isCapped) head.push('cap')
  if (isThrottled) head.push('throttle')
  const colAligns = head.map((): 'right' => 'right')
  const table = new Table({ head, chars: plain, style, colAligns })
  for (const one of rounds) {
    table.push([
      one.paused ? `${one.round} (paused)` : `${one.round}`,
      formatCount(one.pages),
      ...(hasHeld ? [formatCount(one.heldPages ?? 0)] : []),
      formatBytes(one.bytes),
      formatDurationMs(one.ms),
      formatRate(one.bandwidth),
      one.dirtyPages === undefined ? '' : formatCount(one.dirtyPages),
      one.dirtyRate === undefined ? '' : formatRate(one.dirtyRate),
      ...(isCapped ? [orNothing(one.grantedBandwidth, formatRate)] : []),
      ...(isThrottled ? [orNothing(one.throttle, formatShare)] : []),
    ])
  }
  return table.toString()
}
