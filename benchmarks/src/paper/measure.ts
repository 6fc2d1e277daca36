/**
 * What one migration came to, out of the reports of both sides: the metrics of HASH75, section 2.4,
 * and what explains them.
 *
 * @module
 */
import type { PageCounts, Report } from '@godwit/core'
import type { Unit } from '../result.ts'

export interface Measures {
  /** TT and DT, and what DT is made of. */
  readonly totalMs: number
  readonly downtimeMs: number
  readonly pauseMs: number
  readonly pagesMs: number
  readonly stateMs: number
  readonly resumeMs: number
  /** Beside the total. */
  readonly reservationMs: number
  readonly verifyMs: number
  /** TD, of which RD. */
  readonly transferredBytes: number
  readonly resentBytes: number
  /** All that both sides wrote to their sockets. */
  readonly wireBytes: number
  readonly sourceCpuSeconds: number
  readonly destinationCpuSeconds: number
  readonly sourceOverheadBytes: number
  readonly destinationOverheadBytes: number
  readonly rounds: number
  readonly stopRule: string
  readonly pages: PageCounts
  readonly savedBytes: Readonly<Record<string, number>>
  /** What the service got of what it asked for, while the guest moved; absent without a service. */
  readonly serviceShare?: number
}

/** @throws when a report lacks what every completed migration has, or its service ended early */
export function measuresOf(source: Report): Measures {
  const { downtime, sentBytes, resentBytes, cpu, overheadBytes, pages, stop, competing } = source
  if (competing?.error !== undefined) {
    throw new Error(`the service ended early: ${competing.error.code}: ${competing.error.text}`)
  }
  const first = need(sentBytes, 'sentBytes')
  const later = need(resentBytes, 'resentBytes')
  return {
    totalMs: need(source.totalMs, 'totalMs'),
    downtimeMs: need(source.downtimeMs, 'downtimeMs'),
    ...need(downtime, 'downtime'),
    reservationMs: need(source.reservationMs, 'reservationMs'),
    verifyMs: need(source.verifyMs, 'verifyMs'),
    transferredBytes: first + later,
    resentBytes: later,
    wireBytes: source.wireBytes,
    sourceCpuSeconds: need(cpu?.sourceSeconds, 'cpu.sourceSeconds'),
    destinationCpuSeconds: need(cpu?.destinationSeconds, 'cpu.destinationSeconds'),
    sourceOverheadBytes: need(overheadBytes?.source, 'overheadBytes.source'),
    destinationOverheadBytes: need(overheadBytes?.destination, 'overheadBytes.destination'),
    rounds: source.rounds.length,
    stopRule: need(stop, 'stop').rule,
    pages: need(pages, 'pages'),
    savedBytes: source.savedBytes ?? {},
    ...(competing === undefined
      ? {}
      : { serviceShare: competing.bytesPerSecond / competing.askedBytesPerSecond }),
  }
}

function need<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`the report of a migration has no ${name}`)
  return value
}

export type MetricId =
  | 'total'
  | 'downtime'
  | 'transferred'
  | 'resent'
  | 'cpu'
  | 'memory'
  | 'rounds'
  | 'service'

/** A figure that is shown and compared. */
export interface Metric {
  readonly id: MetricId
  /** As the literature calls it, and as a column is headed. */
  readonly name: string
  readonly unit: Unit
  readonly read: (one: Measures) => number | undefined
}

export const METRICS: readonly Metric[] = [
  { id: 'total', name: 'total time (TT)', unit: 'ms', read: (one) => one.totalMs },
  { id: 'downtime', name: 'downtime (DT)', unit: 'ms', read: (one) => one.downtimeMs },
  {
    id: 'transferred',
    name: 'transferred (TD)',
    unit: 'bytes',
    read: (one) => one.transferredBytes,
  },
  { id: 'resent', name: 'of it again (RD)', unit: 'bytes', read: (one) => one.resentBytes },
  {
    id: 'cpu',
    name: 'CPU, both sides',
    unit: 's',
    read: (one) => one.sourceCpuSeconds + one.destinationCpuSeconds,
  },
  {
    id: 'memory',
    name: 'memory, both sides',
    unit: 'bytes',
    read: (one) => one.sourceOverheadBytes + one.destinationOverheadBytes,
  },
  { id: 'rounds', name: 'rounds', unit: 'count', read: (one) => one.rounds },
  { id: 'service', name: 'service got', unit: 'ratio', read: (one) => one.serviceShare },
]

export function metricOf(id: MetricId): Metric {
  return METRICS.find((metric) => metric.id === id)!
}
