/**
 * How much of the packages a fuzz run went through, as the engine counts it: functions that were
 * called, blocks of theirs that were entered, lines of code in them. Files of which no function was
 * called are not counted: no target means them.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import type { Profiler } from 'node:inspector'
import { stripTypeScriptTypes } from 'node:module'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { blankTexts } from '../tidy/source-text.ts'

const packages = new URL('../../packages/', import.meta.url)

/** Of a file or of several. */
export interface Coverage {
  readonly lines: Share
  readonly blocks: Share
  readonly functions: Share
}

export interface Share {
  readonly covered: number
  readonly all: number
}

/** Counts from its start on. */
export class CoverageMeter {
  readonly #session = new Session()

  static async start(): Promise<CoverageMeter> {
    const meter = new CoverageMeter()
    meter.#session.connect()
    await meter.#session.post('Profiler.enable')
    const precision = { callCount: true, detailed: true }
    await meter.#session.post('Profiler.startPreciseCoverage', precision)
    return meter
  }

  /** Of each source of a package that was loaded, by its path there: `wire/src/preface.ts`. */
  async take(): Promise<ReadonlyMap<string, Coverage>> {
    const { result } = await this.#session.post('Profiler.takePreciseCoverage')
    const ours = result.filter(({ url }) => {
      return url.startsWith(packages.href) && url.includes('/src/') && !url.includes('.test.ts')
    })
    const root = fileURLToPath(packages)
    const files = ours.map(({ url, functions }) => {
      const path = fileURLToPath(url)
      return [relative(root, path), coverageOf(readFileSync(path, 'utf8'), functions)] as const
    })
    return new Map(files.filter(([, { functions }]) => functions.covered > 0))
  }
}

/** @param source - as it was loaded: types are blanks when it runs, so that offsets stay */
export function coverageOf(
  source: string,
  functions: readonly Pick<Profiler.FunctionCoverage, 'functionName' | 'ranges'>[],
): Coverage {
  // The first is the module itself, which runs when it is loaded.
  const own = functions.filter(({ ranges }) => ranges[0]!.endOffset - ranges[0]!.startOffset > 0)
  const called = own.slice(1)
  const blocks = called.flatMap(({ ranges }) => ranges)
  return {
    functions: shareOf(called.map(({ ranges }) => ranges[0]!.count > 0)),
    blocks: shareOf(blocks.map(({ count }) => count > 0)),
    lines: shareOf(
      linesOf(
        source,
        own.flatMap(({ ranges }) => ranges),
      ),
    ),
  }
}

/** Of each line with code whether it ran: as the smallest range says that has it. */
function linesOf(source: string, ranges: readonly Profiler.CoverageRange[]): boolean[] {
  const code = blankTexts(stripTypeScriptTypes(source))
  const sorted = ranges.toSorted((a, b) => lengthOf(b) - lengthOf(a))
  const ran = new Uint8Array(source.length)
  for (const { startOffset, endOffset, count } of sorted) {
    ran.fill(count > 0 ? 1 : 0, startOffset, endOffset)
  }
  const lines: boolean[] = []
  let start = 0
  for (const line of code.split('\n')) {
    const first = line.search(/[^\s{}()[\];,]/)
    if (first >= 0) lines.push(ran[start + first] === 1)
    start += line.length + 1
  }
  return lines
}

const lengthOf = (range: Profiler.CoverageRange): number => range.endOffset - range.startOffset

function shareOf(list: readonly boolean[]): Share {
  return { covered: list.filter((isCovered) => isCovered).length, all: list.length }
}

function sum(all: readonly Coverage[]): Coverage {
  const add = (of: keyof Coverage): Share => ({
    covered: all.reduce((total, one) => total + one[of].covered, 0),
    all: all.reduce((total, one) => total + one[of].all, 0),
  })
  return { lines: add('lines'), blocks: add('blocks'), functions: add('functions') }
}

/** A table: packages, and the files of each that are not covered whole. */
export function formatCoverage(files: ReadonlyMap<string, Coverage>): string {
  const names = [...new Set([...files.keys()].map((path) => path.split('/')[0]!))].sort()
  const lines = names.flatMap((name) => {
    const own = [...files].filter(([path]) => path.startsWith(`${name}/`))
    const total = sum(own.map(([, coverage]) => coverage))
    return [row(name, total), ...own.map(([path, one]) => row(`  ${path.split('/src/')[1]}`, one))]
  })
  const head = [''.padEnd(34), 'lines', 'blocks', 'functions'].join(' '.repeat(8))
  return [head, ...lines, row('all', sum([...files.values()]))].join('\n')
}

function row(name: string, { lines, blocks, functions }: Coverage): string {
  const cell = ({ covered, all }: Share): string => {
    const percent = all === 0 ? 100 : (covered / all) * 100
    return `${percent.toFixed(1)} % of ${all}`.padStart(16)
  }
  return `${name.padEnd(34)}${cell(lines)}${cell(blocks)}${cell(functions)}`
}
