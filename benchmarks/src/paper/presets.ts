/**
 * The presets of `--preset` against each other, and `auto` against the best of them: what is
 * recommended must be about as quick as whatever suits a load best.
 *
 * @module
 */
import { MIB, parseRate } from '@godwit/core'
import { AUTO, autoCases } from './auto-bars.ts'
import type { Cell, Scale } from './cell.ts'
import { rateOption } from './cell.ts'
import type { Grid } from './grid.ts'

const base = 'pca'
const linkRate = parseRate('1Gbit')
const memoryBytes = 256 * MIB
/** As they are for most; what is to be given beside them. */
const options: Readonly<Record<string, readonly string[]>> = {
  pca: [],
  xen: [],
  qemu: [],
  hash75: [],
  ppc: [],
  bda: ['--bandwidth', `bda,link=${rateOption(linkRate)}`],
  tpo: [],
  hmdc: [],
  mdd: [],
  mecom: [],
  [AUTO]: [],
}
const quickWays: readonly string[] = [base, 'qemu', AUTO]
/** Near to `tpo`; left to `--full`. */
const fullWay = 'hmdc'

const loads: Readonly<Record<string, string>> = {
  idle: 'idle',
  cpu: 'cpu,load=40',
  'memory-read': 'memory-read',
  'memory-write': 'memory-write,wss=64MiB,rate=8000',
  writer: 'writer,wss=64MiB,rate=20000,style=few',
  kcs: 'kcs,rate=10000',
  ikcs: 'ikcs,rate=10000',
  disk: 'disk,rate=10000',
  network: 'network,rate=200Mbit',
}
const quickLoads = ['writer', 'kcs']
/** Stores nothing, like `idle` and `cpu`. */
const fullLoad = 'memory-read'

function cells(scale: Scale): readonly Cell[] {
  const [isQuick, isFull] = [scale === 'quick', scale === 'full']
  return Object.entries(loads)
    .filter(([load]) => (isQuick ? quickLoads.includes(load) : isFull || load !== fullLoad))
    .flatMap(([load, guest]) =>
      Object.entries(options)
        .filter(([way]) => (isQuick ? quickWays.includes(way) : isFull || way !== fullWay))
        .map(([way, beside]) => ({
          load,
          memoryBytes: isQuick ? 64 * MIB : memoryBytes,
          way,
          guest,
          options: ['--preset', way, ...beside],
          linkRate,
          competingRate: 0,
        })),
    )
}

export const presetsGrid: Grid = {
  name: 'presets',
  title: 'presets under every load, and auto against the best of them',
  source: 'the presets of docs/POLICIES.md',
  base,
  cells,
  claims: [],
  bars: [],
  checks: autoCases,
  figures: (['total', 'downtime', 'transferred'] as const).map((metric) => ({
    name: `presets-${metric}`,
    title: `Presets, ${memoryBytes / MIB} MiB, 1 Gbit/s`,
    metric,
    by: 'load',
    shows: () => true,
  })),
  recommends: true,
}
