/**
 * What the witness of an agent wrote: when a guest ran there, and how it ended.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import type { Entry } from './witness.ts'

/** A time during which a guest may have run, in nanoseconds. */
export interface Span {
  readonly fromNs: bigint
  readonly toNs: bigint
}

/** A part of a journal. */
export interface Record {
  /** One behind the other. */
  readonly spans: readonly Span[]
  /** Of the last guest that ended here: whether its memory was right; undefined if none did. */
  readonly isRight: boolean | undefined
}

/** Of one agent. */
export class Journal {
  readonly file: string
  #lineCount = 0

  constructor(file: string) {
    this.file = file
  }

  /**
   * What was written since this was asked last.
   *
   * @param endNs - by then a guest that still runs was gone
   */
  take(endNs: bigint): Record {
    const lines = this.#lines()
    const part = lines.slice(this.#lineCount)
    this.#lineCount = lines.length
    return recordOf(part, endNs)
  }

  /** Whether every guest that ran here has given its memory back. */
  get isEmpty(): boolean {
    const count = (entry: Entry): number =>
      this.#lines().filter((line) => line.endsWith(` ${entry}`)).length
    return count('runs') === count('gone')
  }

  #lines(): readonly string[] {
    try {
      return readFileSync(this.file, 'utf8').split('\n').slice(0, -1)
    } catch {
      // Nothing was ever written.
      return []
    }
  }
}

/** The meaning of some lines. */
export function recordOf(lines: readonly string[], endNs: bigint): Record {
  const spans: Span[] = []
  let fromNs: bigint | undefined
  let isRight: boolean | undefined
  for (const line of lines) {
    const [time, entry] = line.split(' ') as [string, Entry]
    if (entry === 'runs') fromNs ??= BigInt(time)
    const isEnd = entry === 'stands' || entry === 'gone'
    if (isEnd && fromNs !== undefined) {
      spans.push({ fromNs, toNs: BigInt(time) })
      fromNs = undefined
    }
    if (entry === 'equal' || entry === 'differs') isRight = entry === 'equal'
  }
  if (fromNs !== undefined) spans.push({ fromNs, toNs: endNs })
  return { spans, isRight }
}

/** Whether any two spans of different agents have a moment in common. */
export function overlap(records: readonly Record[]): boolean {
  return records.some((one, i) =>
    records
      .slice(i + 1)
      .some((other) => one.spans.some((a) => other.spans.some((b) => meet(a, b)))),
  )
}

function meet(a: Span, b: Span): boolean {
  return a.fromNs < b.toNs && b.fromNs < a.toNs
}
