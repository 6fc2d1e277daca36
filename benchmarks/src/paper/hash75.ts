/**
 * HASH75: P. Jain, Optimized pre-copy live virtual machine migration for memory-intensive workloads
 * (National College of Ireland, 2021). Its own experiment came to no result (section 6.4): what it
 * expected is measured here.
 *
 * @module
 */
import { MIB, parseRate } from '@godwit/core'
import type { Cell, Scale } from './cell.ts'
import type { Claim } from './claim.ts'
import type { Grid } from './grid.ts'

const plain = 'plain'
const preset = 'HASH75'
/** Of QEMU: its limit on downtime, and Xen's on rounds. */
const stop = 'downtime=300ms,max-rounds=30'

function hashed(hash: string, stopRules: string): readonly string[] {
  return ['--select', 'all-dirty', '--encode', 'same', '--hash', hash, '--stop', stopRules]
}

/** The paper's rule beside the limit on downtime: totals get to any ratio at last. */
function ratio(percent: number): string {
  return `${stop},ratio=${percent / 100}`
}

type Ways = Readonly<Record<string, readonly string[]>>

const main: Ways = {
  [plain]: ['--select', 'all-dirty', '--encode', 'none', '--stop', stop],
  [preset]: ['--preset', 'hash75'],
}
const hashes: Ways = {
  'same-SHA-256': hashed('sha256', stop),
  'same-XXH64': hashed('xxh64', stop),
  'same-XXH3': hashed('xxh3', stop),
}
const thresholds: Ways = Object.fromEntries(
  [50, 60, 90, 100].map((percent) => [`${percent}%`, hashed('sha256', ratio(percent))]),
)
/** Figure 7, line 22, and nothing beside it. */
const ratioAlone: Ways = { '75%-alone': hashed('sha256', 'ratio=0.75,max-rounds=30') }

/** Like memaslap's sets: whole values anywhere in the cache, which is a quarter of memory. */
function sets(memoryBytes: number, pagesPerSecond: number): string {
  return `writer,wss=${memoryBytes / 4},rate=${pagesPerSecond},style=page,order=rand`
}

const loads: Readonly<Record<string, (memoryBytes: number) => string>> = {
  idle: () => 'idle',
  'few-sets': (memoryBytes) => sets(memoryBytes, 4000),
  'many-sets': (memoryBytes) => sets(memoryBytes, 25_000),
}

const linkRate = parseRate('1Gbit')
const middle = 512 * MIB
const sizes: Readonly<Record<Scale, readonly number[]>> = {
  quick: [64 * MIB],
  normal: [256 * MIB, middle, 1024 * MIB],
  full: [256 * MIB, middle, 1024 * MIB, 2048 * MIB],
}

function cells(scale: Scale): readonly Cell[] {
  return sizes[scale].flatMap((memoryBytes) =>
    Object.entries(loads).flatMap(([load, guestOf]) => {
      // Hashes and thresholds at one size; `--full` has all of them everywhere.
      const isWhole = memoryBytes === middle || scale === 'full'
      const more = isWhole && load !== 'idle' ? { ...hashes, ...thresholds, ...ratioAlone } : {}
      return Object.entries({ ...main, ...more }).map(([way, options]) => ({
        load,
        memoryBytes,
        way,
        guest: guestOf(memoryBytes),
        options,
        linkRate,
        competingRate: 0,
      }))
    }),
  )
}

const expected = { loads: ['few-sets', 'many-sets'], way: preset, against: plain } as const
const claims: readonly Claim[] = [
  {
    ...expected,
    where: 'section 1.2',
    quote: 'thereby decreasing total migration time and total migrated data',
    metric: 'total',
    says: { kind: 'less' },
  },
  {
    ...expected,
    where: 'section 1.2',
    quote: 'thereby decreasing total migration time and total migrated data',
    metric: 'transferred',
    says: { kind: 'less' },
  },
  {
    ...expected,
    where: 'table 1, "this one"',
    quote: 'small CPU computation overhead',
    metric: 'cpu',
    says: { kind: 'more' },
  },
]

export const hash75: Grid = {
  name: 'hash75',
  title: 'duplicate suppression by SHA-256 and a stop at 75 % sent again, against plain pre-copy',
  source: 'P. Jain, Optimized pre-copy live VM migration for memory-intensive workloads, 2021',
  base: plain,
  cells,
  claims,
  bars: [{ way: preset, metric: 'total', bar: { op: '<=', value: 1.03 } }],
  figures: (['total', 'downtime', 'transferred', 'cpu'] as const).flatMap((metric) => [
    {
      name: `hash75-${metric}`,
      title: 'HASH75 against plain pre-copy, many sets',
      metric,
      by: 'memoryBytes' as const,
      shows: (cell: Cell) => cell.load === 'many-sets' && cell.way in main,
    },
    {
      name: `hash75-${metric}-ways`,
      title: 'Hashes and thresholds',
      metric,
      by: 'load' as const,
      shows: (cell: Cell) => cell.memoryBytes === middle && cell.load !== 'idle',
    },
  ]),
  recommends: false,
}
