/**
 * A service that moves under load, second by second: before, in pre-copy, after.
 *
 * @module
 */
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Report } from '@godwit/core'
import { mean } from 'simple-statistics'
import { failure } from '../children.ts'
import { makeFolder } from '../process.ts'
import type { Series } from '../result.ts'
import type { LoadResult, LoadSecond } from './memcaslap.ts'
import { startLoad } from './memcaslap.ts'
import type { Probe } from './prober.ts'
import { longestMs, Prober } from './prober.ts'
import { fill, host, startMoving } from './services.ts'

/** How large, and how long. */
export interface MovingSize {
  readonly memory: string
  /** Items that nobody asks for, and bytes of each. */
  readonly coldItems: number
  readonly coldBytes: number
  /** Items of each of the 16 connections of the load, in units of 1024. */
  readonly window: number
  /** From the start of the load to the migration; the load has its items after `settleMs`. */
  readonly beforeMs: number
  readonly settleMs: number
  /** For the cold items, before that. */
  readonly fillMs: number
  /** Of the load in all. */
  readonly loadSeconds: number
}

/** What one migration came to. */
export interface MovingRun {
  readonly report: Report
  readonly load: LoadResult
  /** Operations per second, means. */
  readonly before: number
  readonly preCopy: number
  readonly after: number
  /** The longest that the client waited which asks one request after the other. */
  readonly longestBeforeMs: number
  readonly longestInPreCopyMs: number
  readonly longestAtHandOverMs: number
  readonly longestAfterMs: number
  /** The longest of the load's operations in a second with some of the pause in it. */
  readonly loadLongestMs: number
  readonly series: readonly Series[]
}

/** The cap is for pre-copy: as in QEMU, it does not hold once the guest is stopped. */
const sent = [
  '--max-bandwidth',
  '500Mbit',
  '--pause-bandwidth',
  '10Gbit',
  '--encode',
  'none',
  '--stop',
  'downtime=20ms',
]
/** The hand-over as a client may see it: from a little before the pause to a little after. */
const aroundMs = 100

/** @throws when the guest did not move as it should, or the load ended too early */
export async function measureMoving(
  godwit: readonly string[],
  size: MovingSize,
): Promise<MovingRun> {
  const folder = makeFolder()
  const { memory, fillMs, beforeMs, loadSeconds, window } = size
  const warmupMs = fillMs + beforeMs
  const moving = await startMoving({ godwit, folder, memory, warmupMs, options: sent })
  let prober: Prober | undefined
  try {
    const filled = fill(moving.port, size.coldItems, size.coldBytes)
    filled.catch(() => {})
    const isLate = sleep(fillMs, true)
    const isSlow = await Promise.race([filled.then(() => false), isLate])
    if (isSlow) throw failure(`${size.coldItems} items were not stored within ${fillMs} ms`)
    await isLate
    const load = startLoad({ host, port: moving.port, seconds: loadSeconds, window })
    const startMs = performance.now()
    prober = new Prober(host, moving.port)
    const beginMs = await moving.begins
    const report = await moving.report
    const result = await load.result
    await prober.end()
    const { probes } = prober
    const fromMs = startMs + size.settleMs
    return judge({ report, load: result, seconds: load.seconds, probes, fromMs, beginMs })
  } finally {
    await prober?.end().catch(() => {})
    moving.end()
    rmSync(folder, { recursive: true })
  }
}

interface Measured {
  readonly report: Report
  readonly load: LoadResult
  readonly seconds: readonly LoadSecond[]
  readonly probes: readonly Probe[]
  /** When the load had its items. */
  readonly fromMs: number
  /** When the first round began. */
  readonly beginMs: number
}

function judge({ report, load, seconds, probes, fromMs, beginMs }: Measured): MovingRun {
  const at = (stage: string): number => {
    const found = report.stages.find(({ name }) => name === stage)
    if (found === undefined) throw failure(`a migration had no stage ${stage}`)
    return found.atMs
  }
  if (report.memory?.equal !== true) throw new Error('a migration was not right')
  const pauseMs = beginMs + at('stop-and-copy') - at('pre-copy')
  const overMs = beginMs + at('activation') - at('pre-copy')
  const doneMs = beginMs + report.stages.at(-1)!.atMs - at('pre-copy')
  const endMs = seconds.at(-1)?.endMs ?? 0
  const rate = (from: number, to: number, what: string): number => {
    const whole = seconds.filter((one) => one.endMs - 1000 >= from && one.endMs <= to)
    if (whole.length === 0) throw failure(`no whole second of load ${what}: too short a run`)
    return mean(whole.map(({ operations }) => operations))
  }
  const paused = seconds.filter((one) => one.endMs > pauseMs && one.endMs - 1000 < overMs)
  return {
    report,
    load,
    before: rate(fromMs, beginMs, 'before the migration'),
    preCopy: rate(beginMs, pauseMs, 'in pre-copy'),
    after: rate(doneMs, endMs, 'after the migration'),
    longestBeforeMs: longestMs(probes, fromMs, beginMs),
    longestInPreCopyMs: longestMs(probes, beginMs, pauseMs - aroundMs),
    longestAtHandOverMs: longestMs(probes, pauseMs - aroundMs, overMs + aroundMs),
    longestAfterMs: longestMs(probes, overMs + aroundMs, endMs),
    loadLongestMs: Math.max(0, ...paused.map((one) => one.longestMs)),
    series: seriesOf(seconds, probes, { beginMs, pauseMs, overMs }),
  }
}

/** Seconds count from the first round on. */
function seriesOf(
  seconds: readonly LoadSecond[],
  probes: readonly Probe[],
  { beginMs, pauseMs, overMs }: { beginMs: number; pauseMs: number; overMs: number },
): Series[] {
  const toS = (ms: number): number => Math.round(ms - beginMs) / 1e3
  const marks = [
    { name: 'pre-copy', atS: 0 },
    { name: 'pause', atS: toS(pauseMs) },
    { name: 'at the destination', atS: toS(overMs) },
  ]
  const of = (metric: string, unit: Series['unit'], read: (one: LoadSecond) => number): Series => ({
    name: 'memcaslap through a migration',
    metric,
    unit,
    points: seconds.map((one) => [toS(one.endMs), read(one)]),
    marks,
  })
  return [
    of('operations in each second', '1/s', ({ operations }) => operations),
    of("memcaslap's longest operation in each second", 'ms', (one) => one.longestMs),
    of("a client's longest wait in each second", 'ms', ({ endMs }) =>
      longestMs(probes, endMs - 1000, endMs),
    ),
  ]
}
