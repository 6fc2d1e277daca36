/**
 * Live progress: a bar on a terminal, a plain line now and then elsewhere, nothing with `--quiet`.
 *
 * @module
 */
import { formatBytes, formatCount, formatDurationMs, formatRate, formatShare } from '@godwit/core'
import { Presets, SingleBar } from 'cli-progress'
import { note } from './output.ts'

/** What is shown; read anew at every tick. */
export interface ProgressFacts {
  readonly stage: string
  readonly round: number
  readonly pagesDone: number
  readonly pagesTotal: number
  readonly wireBytes: number
  readonly dirtyRate?: number | undefined
  /** How much of its time the guest loses, 0 to 1. */
  readonly throttle?: number
  readonly elapsedMs: number
}

export interface Progress {
  /** Says something without tearing the bar. */
  say(text: string): void
  stop(): void
}

const barTickMs = 100
const lineTickMs = 1000

/** Silence, for `--quiet`. */
export const noProgress: Progress = { say: () => {}, stop: () => {} }

/**
 * Shows progress on stderr until stopped.
 *
 * @param read - the facts of this moment
 */
export function startProgress(read: () => ProgressFacts): Progress {
  return process.stderr.isTTY ? startBar(read) : startLines(read)
}

/** Bytes per second since the tick before, and the time that the rest of the round takes. */
function createMeter(): (facts: ProgressFacts) => { rate: number; leftMs: number | undefined } {
  let last: { elapsedMs: number; wireBytes: number; pagesDone: number; round: number } | undefined
  return (facts) => {
    const before = last?.round === facts.round ? last : undefined
    last = facts
    const ms = facts.elapsedMs - (before?.elapsedMs ?? 0)
    if (before === undefined || ms <= 0) return { rate: 0, leftMs: undefined }
    const rate = ((facts.wireBytes - before.wireBytes) / ms) * 1e3
    const pagesPerMs = (facts.pagesDone - before.pagesDone) / ms
    const leftPages = facts.pagesTotal - facts.pagesDone
    return { rate, leftMs: pagesPerMs > 0 ? leftPages / pagesPerMs : undefined }
  }
}

function describe(facts: ProgressFacts, meter: ReturnType<typeof createMeter>): string {
  const { rate, leftMs } = meter(facts)
  const parts = [`${facts.stage}, round ${facts.round}`, formatRate(rate)]
  if (facts.dirtyRate !== undefined) parts.push(`dirty ${formatRate(facts.dirtyRate)}`)
  if (facts.throttle) parts.push(`throttle ${formatShare(facts.throttle)}`)
  if (leftMs !== undefined) parts.push(`left ${formatDurationMs(leftMs)}`)
  return parts.join(' | ')
}

function startBar(read: () => ProgressFacts): Progress {
  const meter = createMeter()
  const bar = new SingleBar(
    {
      stream: process.stderr,
      format: '[{bar}] {percentage}% {text}',
      hideCursor: true,
      clearOnComplete: true,
    },
    Presets.rect,
  )
  bar.start(1, 0, { text: 'preparing' })
  const draw = (): void => {
    const facts = read()
    bar.setTotal(Math.max(1, facts.pagesTotal))
    bar.update(facts.pagesDone, { text: describe(facts, meter) })
  }
  const timer = setInterval(draw, barTickMs)
  return {
    say(text) {
      process.stderr.write('\r\x1b[K')
      note(text)
    },
    stop() {
      clearInterval(timer)
      bar.stop()
    },
  }
}

function startLines(read: () => ProgressFacts): Progress {
  const meter = createMeter()
  const timer = setInterval(() => {
    const facts = read()
    const done = `${formatCount(facts.pagesDone)} of ${formatCount(facts.pagesTotal)} pages`
    const sent = formatBytes(facts.wireBytes)
    note(`${describe(facts, meter)} | ${done} | ${sent} on the wire`)
  }, lineTickMs)
  return {
    say: note,
    stop: () => clearInterval(timer),
  }
}
