/**
 * The benchmarks behind `godwit bench`.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import type { Benchmark } from './benchmark.ts'
import { downtime } from './downtime.ts'
import { encode } from './encode.ts'
import { fault } from './fault.ts'
import { fetch } from './fetch.ts'
import { growth } from './growth.ts'
import { hostile } from './hostile.ts'
import { link } from './link.ts'
import { loopback } from './loopback.ts'
import { memcached } from './memcached.ts'
import { pacing } from './pacing.ts'
import { qemu } from './qemu.ts'
import { reservation } from './reservation.ts'
import { security } from './security.ts'
import { select } from './select.ts'
import { shaper } from './shaper.ts'
import { staticPages } from './static.ts'
import { tracker } from './tracker.ts'

export type { Benchmark, BenchOptions } from './benchmark.ts'
export { beginBenchmark, interruptBenchmark } from './children.ts'
export type { BenchResult, Case, Series } from './result.ts'
export { formatResult } from './result.ts'
export type { LinkKind } from './paper/shaped-link.ts'
export { LINK_KINDS } from './paper/shaped-link.ts'
export type { Grid } from './paper/grid.ts'
export { GRIDS, findGrid, runPaper } from './paper/paper.ts'
export type { PaperOptions } from './paper/paper.ts'
export type { PaperResult } from './paper/paper-result.ts'
export { formatPaper, paperMarkdown } from './paper/paper-text.ts'
export type { Chart } from './paper/charts.ts'
export { chartsOf } from './paper/charts.ts'

export const BENCHMARKS: readonly Benchmark[] = [
  loopback,
  downtime,
  pacing,
  tracker,
  growth,
  reservation,
  link,
  qemu,
  encode,
  fault,
  fetch,
  hostile,
  security,
  staticPages,
  select,
  shaper,
  memcached,
]

/** @throws {GodwitError} `USAGE` */
export function findBenchmark(name: string): Benchmark {
  const found = BENCHMARKS.find((benchmark) => benchmark.name === name)
  if (found !== undefined) return found
  const known = BENCHMARKS.map((benchmark) => benchmark.name).join(', ')
  throw new GodwitError('USAGE', `"${name}" is not a benchmark; there are ${known}`)
}
