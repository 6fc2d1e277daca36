/**
 * `memcaslap` of Debian's `libmemcached-tools` (memaslap, as the papers call it): what it says of
 * each second, and of all.
 *
 * @module
 */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { failure, start } from '../children.ts'

/** What it did in one second. */
export interface LoadSecond {
  /** When the second was over, by the clock of `performance`. */
  readonly endMs: number
  readonly operations: number
  /** The longest that one of them took. */
  readonly longestMs: number
}

/** What it did in all. */
export interface LoadResult {
  readonly operationsPerSecond: number
  /** Lines that it does not write when all is well. */
  readonly complaints: number
  /** Those, and keys that it had set and did not get, and answers that were not what it had set. */
  readonly errors: number
}

export interface LoadOptions {
  readonly host: string
  readonly port: number
  readonly seconds: number
  /** Items of each of its 16 connections, in units of 1024; 10 by default. */
  readonly window?: number
}

function argumentsOf({ host, port, seconds, window }: LoadOptions): string[] {
  const asked = ['-s', `${host}:${port}`, '-t', `${seconds}s`, '-S', '1s']
  return window === undefined ? asked : [...asked, '-w', `${window}k`]
}

/** Reads its lines, one by one. */
export class LoadReader {
  readonly seconds: LoadSecond[] = []
  /** Lines that it does not write when all is well. */
  readonly complaints: string[] = []
  #operationsPerSecond: number | undefined
  #missing = 0
  #isTotal = false

  /** @param nowMs - when the line came */
  read(line: string, nowMs: number): void {
    const text = line.trim()
    const [, of] = /^(\w+) Statistics/.exec(text) ?? []
    const [, name, count] = /^(\w+): (\d+)$/.exec(text) ?? []
    const [, rate] = /^Run time:.* TPS: (\d+)/.exec(text) ?? []
    if (of !== undefined) this.#isTotal = of === 'Total'
    else if (rate !== undefined) this.#operationsPerSecond = Number(rate)
    else if (name !== undefined) this.#missing += missing.has(name) ? Number(count) : 0
    else if (text.startsWith('Period')) this.#readPeriod(text, nowMs)
    else if (complaint.test(text)) this.complaints.push(text)
  }

  /** Type, seconds, operations, operations/s, net, misses, and microseconds: least, most ... */
  #readPeriod(text: string, nowMs: number): void {
    if (!this.#isTotal) return
    const fields = text.split(/\s+/)
    const [operations, longestUs] = [Number(fields[2]), Number(fields[7])]
    this.seconds.push({ endMs: nowMs, operations, longestMs: longestUs / 1e3 })
  }

  /** @throws when it did not come to its end */
  get result(): LoadResult {
    if (this.#operationsPerSecond === undefined) throw failure('memcaslap came to no result')
    const complaints = this.complaints.length
    const operationsPerSecond = this.#operationsPerSecond
    return { operationsPerSecond, complaints, errors: complaints + this.#missing }
  }
}

const missing: ReadonlySet<string> = new Set(['get_misses', 'verify_misses', 'verify_failed'])
const complaint = /error|disconnect|fail(?:ed)?:? |didn't|reconnect|invalid/i

/** A load that goes on. */
export interface RunningLoad {
  /** Seconds that are over; grows. */
  readonly seconds: readonly LoadSecond[]
  /** What it did, when its time is over. */
  readonly result: Promise<LoadResult>
}

/** Starts it. Its output is written line by line (`stdbuf`), so that seconds have their times. */
export function startLoad(options: LoadOptions): RunningLoad {
  const args = ['-oL', 'memcaslap', ...argumentsOf(options)]
  const child = start('stdbuf', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const reader = new LoadReader()
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => reader.read(line, performance.now()))
  }
  const result = once(child, 'close').then(([code]) => {
    if (code !== 0) {
      throw failure(`memcaslap ended with ${String(code)}: ${reader.complaints.join('; ')}`)
    }
    return reader.result
  })
  // Whoever waits for it hears of it; a benchmark that fails before does not.
  result.catch(() => {})
  return { seconds: reader.seconds, result }
}
