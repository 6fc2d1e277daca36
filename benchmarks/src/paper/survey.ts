/**
 * The survey of HASH75 (section 2.3, table 1): every page selector under every load, which none of
 * the papers it surveys did.
 *
 * @module
 */
import { MIB, parseRate } from '@godwit/core'
import type { Cell, Scale } from './cell.ts'
import type { Claim } from './claim.ts'
import type { Grid } from './grid.ts'
import { loadsOf } from './loads.ts'

/** The guest that tells classes of its pages, and the selector that needs those. */
const classLoad = 'cache'
const classSelector = 'classes'
const base = 'all-dirty'
/** The simplest first: of equals that one is recommended. */
const selectors = [
  base,
  'clark-wws',
  'flag',
  'second-chance',
  'history',
  'history-send',
  'ppc',
  classSelector,
  'tpo',
] as const

const memoryBytes: Readonly<Record<Scale, number>> = {
  quick: 64 * MIB,
  normal: 256 * MIB,
  full: 256 * MIB,
}
const linkRate = parseRate('1Gbit')
/** A pause so short that rounds have to come down to it. */
const stop = ['--stop', 'downtime=50ms,max-rounds=30']
const quickSelectors: readonly string[] = [base, 'clark-wws', 'history', 'ppc']

function cells(scale: Scale): readonly Cell[] {
  // `--full` has a link as slow as that of the papers, too.
  const links = scale === 'full' ? [linkRate, parseRate('100Mbit')] : [linkRate]
  const ways = selectors.filter((name) => scale !== 'quick' || quickSelectors.includes(name))
  return links.flatMap((rate) =>
    loadsOf(scale).flatMap(([load, guest]) =>
      ways
        .filter((way) => way !== classSelector || load === classLoad)
        .map((way) => ({
          load,
          memoryBytes: memoryBytes[scale],
          way,
          guest,
          options: ['--select', way, ...stop],
          linkRate: rate,
          competingRate: 0,
        })),
    ),
  )
}

const table = 'HASH75, table 1'
const kernelCompile = ['kcs']
const synthetic = ['writer', 'writer-random']
/** The table names no load: those that write a lot. */
const unnamed = ['kcs', 'writer']

function reduced(
  way: (typeof selectors)[number],
  about: readonly string[],
  metric: Claim['metric'],
  percent: number,
  quote: string,
): Claim {
  const says = { kind: 'change', percent: -percent } as const
  return { way, against: base, loads: about, metric, says, where: table, quote }
}

const hu = 'Hu et al. (2011), kernel compile: 70% TMT, 25% TDT'
const lin = 'Cho-Chin Lin et al. (2012), synthetic: 30% TDT'
const sharma = 'Sharma and Chawla (2016): 70% TMT, 71% TDT (XEN)'
const wang = 'Wang et al. (2017): 72% TMT (KVM)'

const claims: readonly Claim[] = [
  reduced('history', kernelCompile, 'total', 70, hu),
  reduced('history', kernelCompile, 'transferred', 25, hu),
  reduced('history-send', kernelCompile, 'total', 70, hu),
  reduced('history-send', kernelCompile, 'transferred', 25, hu),
  reduced('second-chance', synthetic, 'transferred', 30, lin),
  reduced('tpo', unnamed, 'total', 70, sharma),
  reduced('tpo', unnamed, 'transferred', 71, sharma),
  reduced(classSelector, [classLoad], 'total', 72, wang),
]

export const survey: Grid = {
  name: 'survey',
  title: 'every page selector under every load',
  source: 'the survey of HASH75, table 1',
  base,
  cells,
  claims,
  bars: [],
  figures: (['total', 'downtime', 'transferred'] as const).map((metric) => ({
    name: `survey-${metric}`,
    title: 'Page selectors',
    metric,
    by: 'load',
    shows: (cell: Cell) => cell.linkRate === linkRate,
  })),
  recommends: true,
}
