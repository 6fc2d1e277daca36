/**
 * What `main.ts` does once it may load what is fuzzed.
 *
 * @module
 */
import { inspect } from 'node:util'
import { readCorpus, readInput, writeInput } from './corpus.ts'
import type { CoverageMeter } from './coverage.ts'
import { formatCoverage } from './coverage.ts'
import type { Finding, Progress } from './fuzzer.ts'
import { faultOf, fuzz } from './fuzzer.ts'
import type { Target } from './target.ts'
import { targets } from './targets.ts'

const textOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : inspect(error)
const say = (text: string): void => void process.stdout.write(`${text}\n`)

/** As the command line has it. */
export interface FuzzSettings {
  readonly seconds: string
  readonly inputs?: string | undefined
  readonly seed?: string | undefined
  readonly replay?: string | undefined
  readonly ignore: readonly string[]
  readonly labels: boolean
}

function chosen(positionals: readonly string[]): readonly Target[] {
  const unknown = positionals.filter((name) => !targets.some((one) => one.name === name))
  if (unknown.length > 0) {
    say(`There is no target ${unknown.join(', ')}; there are:`)
    for (const { name } of targets) say(`  ${name}`)
    process.exit(2)
  }
  const isAsked = ({ name }: Target): boolean =>
    positionals.length === 0 ? name !== 'canary' : positionals.includes(name)
  return targets.filter(isAsked)
}

function tell({ inputs, seconds, labels }: Progress): void {
  const rate = Math.round(inputs / Math.max(seconds, 0.001))
  say(`  ${seconds.toFixed(0)} s: ${inputs} inputs, ${rate}/s, ${labels.size} kinds of outcome`)
}

function tellFinding(target: Target, { kind, error, input }: Finding): void {
  const path = writeInput(target.name, input, kind)
  say(`FOUND: ${kind}`)
  say(textOf(error))
  say(`${input.length} bytes, in ${path}`)
  say(`Again: pnpm run fuzz ${target.name} --replay ${path}`)
}

/** @returns whether nothing was found */
async function runOne(target: Target, seed: number, values: FuzzSettings): Promise<boolean> {
  say(`${target.name}, seed ${seed}`)
  const corpus = readCorpus(target.name).map(({ input }) => input)
  const inputsMax = values.inputs === undefined ? {} : { inputsMax: Number(values.inputs) }
  const budget = { seconds: Number(values.seconds), ...inputsMax }
  let told = 0
  const result = await fuzz(target, corpus, {
    seed,
    budget,
    ignored: values.ignore,
    onProgress: (progress) => {
      if (progress.seconds - told < 10) return
      told = progress.seconds
      tell(progress)
    },
  })
  tell(result)
  if (values.labels) for (const [label, count] of result.labels) say(`    ${count} ${label}`)
  if (result.finding !== undefined) tellFinding(target, result.finding)
  return result.finding === undefined
}

/** @returns whether the input is no longer wrong */
function replay(target: Target, path: string): boolean {
  const input = readInput(path)
  const error = faultOf(target, input)
  if (error === undefined) say(`${target.name}: nothing is wrong: ${target.run(input)}`)
  else say(textOf(error))
  return error === undefined
}

/** @returns whether nothing is wrong */
export async function runTargets(
  names: readonly string[],
  values: FuzzSettings,
  meter: CoverageMeter | undefined,
): Promise<boolean> {
  const seed = values.seed === undefined ? Date.now() >>> 0 : Number(values.seed)
  const { replay: path } = values
  let isFine = true
  for (const one of chosen(names)) {
    const isRight = path === undefined ? await runOne(one, seed, values) : replay(one, path)
    isFine &&= isRight
  }
  if (meter !== undefined) say(formatCoverage(await meter.take()))
  return isFine
}
