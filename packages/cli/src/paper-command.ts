/**
 * `godwit bench paper`: the experiments of papers.
 *
 * @module
 */
import { join } from 'node:path'
import type { Grid, LinkKind, PaperOptions, PaperResult } from '@godwit/benchmarks'
import { LINK_KINDS, chartsOf, findGrid, formatPaper, runPaper } from '@godwit/benchmarks'
import { GodwitError } from '@godwit/core'
import type { Command } from 'commander'
import { Option } from 'commander'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit } from './exit-code.ts'
import { interruptible } from './interruptible.ts'
import { addNames } from './name-list.ts'
import { checkWritable, makeFolder, note, print, writeJson, writeText } from './output.ts'
import { parseCount } from './settings.ts'

interface PaperSettings {
  readonly quick?: boolean
  readonly full?: boolean
  readonly repeat?: number
  readonly only?: readonly string[]
  readonly link?: LinkKind
  readonly runs?: string
  readonly json?: string
  readonly plots?: string
}

const examples = `
What the grids measure: docs/PAPERS.md.

Examples:
  godwit bench paper bda --quick
  godwit bench paper hash75 --runs hash75.jsonl --json hash75.json --plots plots`

/** Adds the command to `bench`; `finish` gets the exit code. */
export function addPaperCommand(bench: Command, finish: (code: ExitCode) => void): void {
  bench
    .command('paper')
    .description("Measure a paper's experiment, and say where it is contradicted")
    .argument('<grid>', 'hash75, bda, survey or presets')
    .option('--quick', 'few and small cells, once: does it run at all? within 3 minutes')
    .option('--full', 'all cells there are; hours')
    .option('--repeat <N>', 'how often each cell is measured (default 3)', parseCount(1))
    .option('--only <NAMES>', 'cells with these loads or ways (A,B)', addNames)
    .addOption(
      new Option(
        '--link <KIND>',
        'tbf: network namespaces, for the superuser; proxy: a process in between (default: tbf ' +
          'where it can be had)',
      ).choices([...LINK_KINDS]),
    )
    .option('--runs <FILE>', 'keep each run there at once; runs that are there are not run again')
    .option('--json <FILE>', 'write the figures; - is stdout')
    .option('--plots <DIR>', 'draw them, as SVG')
    .addHelpText('after', examples)
    .action(async (name: string, settings: PaperSettings) => {
      checkBefore(bench)
      finish(await paper(findGrid(name), settings))
    })
}

/** @throws {GodwitError} `USAGE`: options of `bench` that stand before `paper` */
function checkBefore(bench: Command): void {
  const given = bench.options.filter(
    (option) => bench.getOptionValueSource(option.attributeName()) === 'cli',
  )
  if (given.length === 0) return
  const names = given.map(({ long }) => long).join(', ')
  throw new GodwitError('USAGE', `options of paper stand behind it: bench paper GRID ${names} ...`)
}

async function paper(grid: Grid, settings: PaperSettings): Promise<ExitCode> {
  const { quick, full, repeat, only, link, runs, json, plots } = settings
  if (quick === true && full === true) throw new GodwitError('USAGE', '--quick is not --full')
  checkWritable(json)
  if (plots !== undefined) makeFolder(plots)
  const options: PaperOptions = {
    scale: quick === true ? 'quick' : full === true ? 'full' : 'normal',
    godwit: [process.execPath, ...process.execArgv, process.argv[1]!],
    say: note,
    ...(repeat === undefined ? {} : { repeats: repeat }),
    ...(only === undefined ? {} : { only }),
    ...(link === undefined ? {} : { link }),
    ...(runs === undefined ? {} : { runsFile: runs }),
  }
  const result = await interruptible(() => runPaper(grid, options))
  if (json !== undefined) writeJson(json, result)
  if (json !== '-') print(formatPaper(result))
  if (plots !== undefined) await draw(grid, result, plots)
  return Exit.Done
}

async function draw(grid: Grid, { paper: facts }: PaperResult, folder: string): Promise<void> {
  // Half a second to load, so only who wants pictures waits for it.
  const { drawChart } = await import('./paper-chart.ts')
  for (const chart of chartsOf(grid, facts)) {
    writeText(join(folder, `${chart.name}.svg`), await drawChart(chart))
  }
}
