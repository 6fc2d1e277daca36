/**
 * `godwit bench`: the benchmarks.
 *
 * @module
 */
import { join } from 'node:path'
import type { BenchOptions, BenchResult } from '@godwit/benchmarks'
import { BENCHMARKS, GRIDS, findBenchmark, formatResult } from '@godwit/benchmarks'
import { GodwitError } from '@godwit/core'
import type { Command } from 'commander'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit } from './exit-code.ts'
import { interruptible } from './interruptible.ts'
import { addNames } from './name-list.ts'
import { checkWritable, makeFolder, note, print, writeJson, writeText } from './output.ts'
import { addPaperCommand } from './paper-command.ts'
import { parseCount } from './settings.ts'

interface BenchSettings {
  readonly list?: boolean
  readonly quick?: boolean
  readonly repeat?: number
  readonly json?: string
  readonly only?: readonly string[]
  readonly images?: string
  readonly synthetic?: boolean
  readonly plots?: string
}

/** Adds the command; `finish` gets the exit code. */
export function addBenchCommand(program: Command, finish: (code: ExitCode) => void): void {
  const command = program
    .command('bench')
    // What stands behind `paper` is that command's, though some options have the same names.
    .enablePositionalOptions()
    .description('Measure; prints a table with medians and spread')
    .argument('[name]', 'which; see --list')
    .option('--list', 'list the benchmarks')
    .option('--quick', 'small and few: does it run at all?')
    .option('--repeat <N>', 'measurements of each case (default 5)', parseCount(1))
    .option('--only <CASES>', 'these cases (A,B), where a benchmark has several', addNames)
    .option('--images <DIR>', 'memory of real guests, for `static`; it says how to make them')
    .option('--synthetic', 'made-up memory where `static` takes that of real guests')
    .option('--json <FILE>', 'write the figures; - is stdout')
    .option('--plots <DIR>', 'draw what was measured over time, as SVG')
    .addHelpText('after', '\nExample:\n  godwit bench loopback --json loopback.json')
    .action(async (name: string | undefined, settings: BenchSettings) => {
      finish(await bench(name, settings))
    })
  addPaperCommand(command, finish)
}

async function bench(name: string | undefined, settings: BenchSettings): Promise<ExitCode> {
  if (settings.list === true || name === undefined) {
    if (settings.list !== true) throw new GodwitError('USAGE', 'bench needs a name; see --list')
    const lines = [
      ...BENCHMARKS.map((one) => [one.name, one.summary] as const),
      ...GRIDS.map((grid) => [`paper ${grid.name}`, grid.title] as const),
    ]
    for (const [one, summary] of lines) print(`${one.padEnd(12)} ${summary}`)
    return Exit.Done
  }
  checkWritable(settings.json)
  if (settings.plots !== undefined) makeFolder(settings.plots)
  const benchmark = findBenchmark(name)
  const { images, synthetic } = settings
  if ((images !== undefined || synthetic === true) && benchmark.takesImages !== true) {
    throw new GodwitError('USAGE', `bench ${name} takes no images`)
  }
  if (settings.only !== undefined && benchmark.takesOnly !== true) {
    throw new GodwitError('USAGE', `bench ${name} is measured as a whole: it takes no --only`)
  }
  const options: BenchOptions = {
    quick: settings.quick === true,
    repeat: settings.repeat ?? (settings.quick === true ? 1 : 5),
    godwit: [process.execPath, ...process.execArgv, process.argv[1]!],
    say: note,
    ...(settings.only === undefined ? {} : { only: settings.only }),
    ...(images === undefined ? {} : { images }),
    ...(synthetic === undefined ? {} : { synthetic }),
  }
  const result = await interruptible(() => benchmark.run(options))
  if (settings.json !== undefined) writeJson(settings.json, result)
  if (settings.json !== '-') print(formatResult(result))
  if (settings.plots !== undefined) await draw(result, settings.plots)
  return Exit.Done
}

async function draw({ name, series = [] }: BenchResult, folder: string): Promise<void> {
  if (series.length === 0) return note(`bench ${name} measures nothing over time`)
  // Half a second to load, so only who wants pictures waits for it.
  const { drawSeries } = await import('./series-chart.ts')
  for (const [i, one] of series.entries()) {
    writeText(join(folder, `${name}-${i + 1}.svg`), await drawSeries(one))
  }
}
