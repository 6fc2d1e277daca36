/**
 * The shape of what a benchmark writes, to check a file with. It lists the fields of `BenchResult`;
 * where the two differ this file does not compile.
 *
 * @module
 */
import * as v from 'valibot'
import { METRICS } from './paper/measure.ts'
import type { PaperVerdicts } from './paper/paper-result.ts'
import type { Against, BenchResult, Case, Series, Unit } from './result.ts'

const number = v.pipe(v.number(), v.finite())
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

const units = {
  count: true,
  'bytes/s': true,
  bytes: true,
  s: true,
  ms: true,
  us: true,
  ns: true,
  '1/s': true,
  ratio: true,
} satisfies Record<Unit, true>

const against = v.object({
  name: v.string(),
  median: number,
  values: v.exactOptional(v.array(number)),
} satisfies Record<keyof Against, unknown>)

const oneCase = v.object({
  name: v.string(),
  metric: v.string(),
  unit: v.picklist(Object.keys(units) as Unit[]),
  values: v.array(number),
  median: number,
  min: number,
  max: number,
  against: v.exactOptional(against),
  ratio: v.exactOptional(number),
  bar: v.exactOptional(v.object({ op: v.picklist(['>=', '<=']), value: number })),
  pass: v.exactOptional(v.boolean()),
} satisfies Record<keyof Case, unknown>)

const series = v.object({
  name: v.string(),
  metric: v.string(),
  unit: v.picklist(Object.keys(units) as Unit[]),
  points: v.array(v.tuple([number, number])),
  marks: v.array(v.object({ name: v.string(), atS: number })),
} satisfies Record<keyof Series, unknown>)

const machine = v.object({
  cpu: v.string(),
  cores: count,
  memoryBytes: count,
  kernel: v.string(),
  node: v.string(),
} satisfies Record<keyof BenchResult['machine'], unknown>)

const ruling = v.picklist(['agrees', 'weaker', 'stronger', 'contradicts', 'not seen', 'undecided'])

const claim = v.object({
  where: v.string(),
  quote: v.string(),
  way: v.string(),
  against: v.string(),
  metric: v.picklist(METRICS.map(({ id }) => id)),
  says: v.union([
    v.object({ kind: v.literal('change'), percent: number }),
    v.object({ kind: v.picklist(['less', 'more', 'same']) }),
  ]),
})

/** Of a paper's grid; its cells and the figures of its runs are left out. */
const paper = v.object({
  findings: v.array(v.object({ group: v.string(), claim, ruling, percents: v.array(number) })),
  recommendations: v.exactOptional(
    v.object({
      groups: v.array(v.object({ group: v.string(), way: v.string() })),
      overall: v.exactOptional(v.string()),
      worstRatio: v.exactOptional(number),
    }),
  ),
  runs: v.array(
    v.object({ cell: v.string(), repeat: count, failure: v.exactOptional(v.string()) }),
  ),
} satisfies Record<keyof PaperVerdicts, unknown>)

/** A result of `godwit bench`; of `godwit bench paper` with what the paper says. */
export interface ReadResult extends BenchResult {
  readonly paper?: PaperVerdicts
}

/** Validates results of `godwit bench NAME --json`. */
export const benchSchema: v.GenericSchema<ReadResult> = v.object({
  schema: v.literal('godwit.bench/1'),
  name: v.string(),
  machine,
  cases: v.array(oneCase),
  series: v.exactOptional(v.array(series)),
  paper: v.exactOptional(paper),
} satisfies Record<keyof ReadResult, unknown>)
