/**
 * What a benchmark says: schema `godwit.bench/1`. Every figure is measured; ratios compare things
 * that were measured in the same run.
 *
 * @module
 */
import { cpus, release, totalmem } from 'node:os'
import { formatBytes, formatRate } from '@godwit/core'
import Table from 'cli-table3'
import { max, median, min } from 'simple-statistics'

export const BENCH_SCHEMA = 'godwit.bench/1'

export type Unit = 'count' | 'bytes/s' | 'bytes' | 's' | 'ms' | 'us' | 'ns' | '1/s' | 'ratio'

/** What a case is compared with, measured in the same run. */
export interface Against {
  readonly name: string
  readonly median: number
  /** One for each value of the case: then the ratio is the median of the pairs' ratios. */
  readonly values?: readonly number[]
}

/** One thing measured several times; without values where its bar has nothing to judge. */
export interface Case {
  readonly name: string
  readonly metric: string
  readonly unit: Unit
  readonly values: readonly number[]
  readonly median: number
  readonly min: number
  readonly max: number
  readonly against?: Against
  readonly ratio?: number
  readonly bar?: { readonly op: '>=' | '<='; readonly value: number }
  readonly pass?: boolean
}

/** One thing measured again and again in one run. */
export interface Series {
  readonly name: string
  readonly metric: string
  readonly unit: Unit
  /** Seconds, and the value then. */
  readonly points: readonly (readonly [atS: number, value: number])[]
  /** What happened when, in seconds. */
  readonly marks: readonly { readonly name: string; readonly atS: number }[]
}

export interface BenchResult {
  readonly schema: typeof BENCH_SCHEMA
  readonly name: string
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly memoryBytes: number
    readonly kernel: string
    readonly node: string
  }
  readonly cases: readonly Case[]
  /** Of the last repeat, where a benchmark has something to tell over time. */
  readonly series?: readonly Series[]
}

export interface CaseFacts {
  readonly name: string
  readonly metric: string
  readonly unit: Unit
  readonly values: readonly number[]
  readonly against?: Against
  /** Applies to the ratio where there is one, else to the median. */
  readonly bar?: NonNullable<Case['bar']>
}

/** Statistics of one case, and whether it meets its bar. */
export function toCase(facts: CaseFacts): Case {
  const values = [...facts.values]
  const middle = median(values)
  const ratio = facts.against === undefined ? undefined : ratioOf(values, facts.against)
  const judged = ratio ?? middle
  const { bar } = facts
  return {
    ...facts,
    values,
    median: middle,
    min: min(values),
    max: max(values),
    ...(ratio === undefined ? {} : { ratio }),
    ...(bar === undefined
      ? {}
      : { pass: bar.op === '>=' ? judged >= bar.value : judged <= bar.value }),
  }
}

/** A bar for what could not be measured: it is missed. */
export function toMissedCase({ name, metric, unit, bar }: BarFacts): Case {
  return { name, metric, unit, values: [], median: 0, min: 0, max: 0, bar, pass: false }
}

/** What a bar is about. */
type BarFacts = Pick<Case, 'name' | 'metric' | 'unit'> & { readonly bar: NonNullable<Case['bar']> }

/** Compares repeat by repeat, for machines whose speed drifts. */
export function pairedWith(name: string, values: readonly number[]): Against {
  return { name, median: median([...values]), values: [...values] }
}

function ratioOf(values: number[], against: Against): number {
  if (against.values === undefined) return median(values) / against.median
  return median(values.map((value, i) => value / against.values![i]!))
}

export function toResult(name: string, cases: readonly Case[]): BenchResult {
  const processors = cpus()
  const machine = {
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
  }
  return { schema: BENCH_SCHEMA, name, machine, cases }
}

export function formatMachine(machine: BenchResult['machine']): string {
  const { cpu, cores, memoryBytes, kernel, node } = machine
  return `${cpu}, ${cores} cores, ${formatBytes(memoryBytes)}, Linux ${kernel}, Node ${node}`
}

/** The same figures for people. */
export function formatResult({ name, machine, cases }: BenchResult): string {
  const table = new Table({
    head: ['case', 'median', 'min', 'max', 'n', 'ratio', 'bar', ''],
    style: { head: [], border: [] },
  })
  for (const one of cases) {
    const figures = [one.median, one.min, one.max]
    const isMeasured = one.values.length > 0
    table.push([
      `${one.name}: ${one.metric}`,
      ...figures.map((value) => (isMeasured ? formatValue(value, one.unit) : 'not measured')),
      String(one.values.length),
      one.ratio === undefined ? '' : `${one.ratio.toFixed(2)} of ${one.against!.name}`,
      one.bar === undefined ? '' : `${one.bar.op} ${formatBar(one)}`,
      one.pass === undefined ? '' : one.pass ? 'met' : 'MISSED',
    ])
  }
  return `${name}: ${formatMachine(machine)}\n${table.toString()}`
}

function formatBar(one: Case): string {
  // What was not measured may have been to be a ratio.
  const isPlain = one.ratio !== undefined || one.values.length === 0
  return isPlain ? String(one.bar!.value) : formatValue(one.bar!.value, one.unit)
}

/** With its unit, for people. */
export function formatValue(value: number, unit: Unit): string {
  switch (unit) {
    case 'bytes/s':
      return formatRate(value)
    case 'bytes':
      return formatBytes(value)
    case 's':
      return `${value.toFixed(2)} s`
    case 'ms':
      return `${value.toFixed(value < 10 ? 2 : 0)} ms`
    case 'us':
      return `${value.toFixed(0)} us`
    case 'ns':
      return `${value.toFixed(value < 10 ? 2 : 0)} ns`
    case '1/s':
      return `${value.toFixed(0)}/s`
    case 'count':
      return String(Math.round(value))
    case 'ratio':
      return value.toFixed(2)
  }
}
