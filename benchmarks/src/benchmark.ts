/**
 * What a benchmark is.
 *
 * @module
 */
import type { BenchResult } from './result.ts'

export interface BenchOptions {
  /** Small and few: only to see that it runs. */
  readonly quick: boolean
  /** Measurements of each case. */
  readonly repeat: number
  /** Names of cases, for benchmarks that can do a part of theirs; default all. */
  readonly only?: readonly string[]
  /** A folder with memory of real guests, for benchmarks that take some. */
  readonly images?: string
  /** To make up such memory. */
  readonly synthetic?: boolean
  /** How to start `godwit` as a process: program and first arguments. */
  readonly godwit: readonly string[]
  /** Tells what is going on. */
  readonly say: (text: string) => void
}

export interface Benchmark {
  readonly name: string
  readonly summary: string
  /** Whether it takes `only`. */
  readonly takesOnly?: boolean
  /** Whether it takes `images` and `synthetic`. */
  readonly takesImages?: boolean
  run(options: BenchOptions): Promise<BenchResult>
}
