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
  /** Items of each connection; as it is by default without. */
  readonly window?: number
  /** Connections; 128 by default. */
  readonly connections?: number
  /** Threads; 8 by default. */
  readonly threads?: number
  /** The share of answers that are compared with what was set; none by default. */
  readonly verified?: number
}

function argumentsOf(options: LoadOptions): string[] {
  const { host, port, seconds, window, connections, threads, verified } = options
  const asked = [
    ['-w', window],
    ['-c', connections],
    ['-T', threads],
    ['-v', verified],
  ] as const
  const given = asked.filter(([, value]) => value !== undefined)
  const always = ['-s', `${host}:${port}`, '-t', `${seconds}s`, '-S', '1s']
  return always.concat(given.flatMap(([name, value]) => [name, String(value)]))
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
    if (of !== undefined) this.#isTotal = of === 'Total'
    else if (text.startsWith('Period')) this.#readPeriod(text, nowMs)
    else if (complaint.test(text)) this.complaints.push(text)
    const [, missing] = /^(?:get_misses|verify_misses|verify_failed): (\d+)/.exec(text) ?? []
    if (missing !== undefined) this.#missing += Number(missing)
    const [, rate] = /^Run time:.* TPS: (\d+)/.exec(text) ?? []
    if (rate !== undefined) this.#operationsPerSecond = Number(rate)
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
    if (code !== 0) throw failure(`memcaslap ended with ${String(code)}`)
    return reader.result
  })
  // Whoever waits for it hears of it; a benchmark that fails before does not.
  result.catch(() => {})
  return { seconds: reader.seconds, result }
}
