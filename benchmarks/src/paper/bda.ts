/**
 * BDA: Fang, Liao and Ge, Live virtual machine migration with bandwidth dynamic assignment: its
 * section 4, with a service on the same link, which its link had, too (section 4.1).
 *
 * The text has the figures' curves in words and four numbers; only those are claims here.
 *
 * @module
 */
import { MIB, parseRate } from '@godwit/core'
import type { Cell, Scale } from './cell.ts'
import { rateOption } from './cell.ts'
import type { Claim } from './claim.ts'
import type { Grid } from './grid.ts'

const pca = 'PCA'
const ppc = 'PPC'
const bda = 'BDA'
const smooth = 'BDA-smooth'

const stop = ['--stop', 'downtime=300ms,max-rounds=30']

/** BDA runs on top of PPC (section 4). */
function waysOn(linkRate: number): Readonly<Record<string, readonly string[]>> {
  const link = `link=${rateOption(linkRate)}`
  const predicted = ['--select', 'ppc', ...stop]
  return {
    [pca]: ['--select', 'all-dirty', ...stop],
    [ppc]: predicted,
    [bda]: [...predicted, '--bandwidth', `bda,${link}`],
    [smooth]: [...predicted, '--bandwidth', `bda-smooth,${link}`],
  }
}

/**
 * Section 4.3: idle system, kernel compilation, and that on and off. 10,000 pages a second are half
 * of what is free; at 25,000 BDA leaves itself next to nothing, and the cap on rounds ends it.
 */
const guests = {
  IS: 'idle',
  KCS: 'kcs,rate=10000',
  IKCS: 'ikcs,rate=10000',
  'KCS-faster': 'kcs,rate=25000',
} as const
type Load = keyof typeof guests

/** Three tenths of the link are the services'. */
const serviceShare = 0.3
const memoryOfLoads = 1024 * MIB
/** Section 4.2: the pressure test. */
const sizes = [128, 256, 512, 1024, 2048].map((mib) => mib * MIB)
const smallSizes = sizes.slice(0, 2)
const smallest = 128 * MIB
const gigabit = parseRate('1Gbit')
/** The paper's own link: "the Fast Ethernet switch". */
const fastEthernet = parseRate('100Mbit')

function on(linkRate: number, load: Load, memoryBytes: number): readonly Cell[] {
  return Object.entries(waysOn(linkRate)).map(([way, options]) => ({
    load,
    memoryBytes,
    way,
    guest: guests[load],
    options,
    linkRate,
    competingRate: linkRate * serviceShare,
  }))
}

function cells(scale: Scale): readonly Cell[] {
  if (scale === 'quick') {
    return [...on(gigabit, 'KCS', smallest), ...on(gigabit, 'IKCS', smallest)]
  }
  const links = scale === 'full' ? [gigabit, fastEthernet] : [gigabit]
  const pressure = links.flatMap((linkRate) => [
    ...sizes.flatMap((memoryBytes) => on(linkRate, 'KCS', memoryBytes)),
    ...(['IS', 'IKCS'] as const).flatMap((load) => on(linkRate, load, memoryOfLoads)),
  ])
  return scale === 'full' ? [...pressure, ...on(gigabit, 'KCS-faster', smallest)] : pressure
}

const overPpc = { way: bda, against: ppc } as const
const overPca = { way: bda, against: pca } as const
const downtime = { metric: 'downtime' } as const
const total = { metric: 'total' } as const

function applications(load: Load): { loads: string[]; memoryBytes: number[] } {
  return { loads: [load], memoryBytes: [memoryOfLoads] }
}

const small = { loads: ['KCS'], memoryBytes: smallSizes }
const large = { loads: ['KCS'], memoryBytes: sizes.slice(2) }
const almostSame =
  'when the memory is 128MB and 256MB, the three kinds of policy mechanism downtime is ' +
  'almost the same'
const notMuch =
  'at 128 ~ 256MB, the total migration time of the three algorithms is not much difference'
const reduces = 'effectively reducing the downtime'
const significantly =
  'BDA [...] significantly reduces the total time of migration compared to PPC and PCA'
const idleDowntime =
  'In the idle application environment, BDA has not significantly reduced the downtime'
const idleTotal = 'does not significantly reduce the migration time, but there is a small increase'

/** Figures are numbered as the text does. "PAA" is BDA. */
const claims: readonly Claim[] = [
  ...[overPpc, overPca].flatMap((ways): Claim[] => [
    {
      ...ways,
      ...small,
      ...downtime,
      where: 'section 4.2.1, fig. 2',
      quote: almostSame,
      says: { kind: 'same' },
    },
    {
      ...ways,
      ...large,
      ...downtime,
      where: 'section 4.2.1, fig. 2',
      quote: reduces,
      says: { kind: 'less' },
    },
    {
      ...ways,
      ...small,
      ...total,
      where: 'section 4.2.2, fig. 3',
      quote: notMuch,
      says: { kind: 'same' },
    },
    {
      ...ways,
      ...large,
      ...total,
      where: 'section 4.2.2, fig. 3',
      quote: significantly,
      says: { kind: 'less' },
    },
    {
      ...ways,
      ...applications('IS'),
      ...downtime,
      where: 'section 4.3.1, fig. 4',
      quote: idleDowntime,
      says: { kind: 'same' },
    },
    {
      ...ways,
      ...applications('IS'),
      ...total,
      where: 'section 4.3.2, fig. 5',
      quote: idleTotal,
      says: { kind: 'more' },
    },
  ]),
  {
    ...overPpc,
    ...applications('KCS'),
    ...downtime,
    where: 'section 4.3.1, fig. 4',
    quote: 'the BDA was 9.85% lower than the PPC at KCS load',
    says: { kind: 'change', percent: -9.85 },
  },
  {
    ...overPpc,
    ...applications('IKCS'),
    ...downtime,
    where: 'section 4.3.1, fig. 4',
    quote: 'the BDA was reduced by 1.66% compared to the PPC at IKCS load',
    says: { kind: 'change', percent: -1.66 },
  },
  {
    ...overPpc,
    ...applications('KCS'),
    ...total,
    where: 'section 4.3.2, fig. 5',
    quote: 'In the KCS load, PAA compared to P PC reduced by 9.51%',
    says: { kind: 'change', percent: -9.51 },
  },
  {
    ...overPpc,
    ...applications('IKCS'),
    ...total,
    where: 'section 4.3.2, fig. 5',
    quote: 'in IKCS, PAA compared to P PC reduced by 1.47%',
    says: { kind: 'change', percent: -1.47 },
  },
]

const isGigabit = (cell: Cell): boolean => cell.linkRate === gigabit

export const bdaGrid: Grid = {
  name: 'bda',
  title: 'bandwidth dynamic assignment against PCA and PPC, beside a service on the same link',
  source: 'Y. Fang, F. Liao, J. Ge, Live VM migration with bandwidth dynamic assignment',
  base: ppc,
  cells,
  claims,
  bars: [],
  figures: (['downtime', 'total', 'service'] as const).flatMap((metric) => [
    {
      name: `bda-memory-${metric}`,
      title: 'Different memory, KCS',
      metric,
      by: 'memoryBytes' as const,
      shows: (cell: Cell) => isGigabit(cell) && cell.load === 'KCS',
    },
    {
      name: `bda-load-${metric}`,
      title: 'Different applications',
      metric,
      by: 'load' as const,
      shows: (cell: Cell) => isGigabit(cell) && cell.memoryBytes === memoryOfLoads,
    },
  ]),
  recommends: false,
}
