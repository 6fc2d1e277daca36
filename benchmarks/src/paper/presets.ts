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
import { STILL_LOADS, loadsOf } from './loads.ts'

const base = 'pca'
const linkRate = parseRate('1Gbit')
const memoryBytes: Readonly<Record<Scale, number>> = {
  quick: 64 * MIB,
  normal: 128 * MIB,
  full: 256 * MIB,
}
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
/** Where there is one round, they send in it what `pca` does, no quicker. */
const likeBase: ReadonlySet<string> = new Set(['qemu', 'ppc', 'bda', 'tpo', 'hmdc', 'xen'])

function isMeasured(scale: Scale, load: string, way: string): boolean {
  if (scale === 'quick') return quickWays.includes(way)
  return scale === 'full' || !STILL_LOADS.has(load) || !likeBase.has(way)
}

function cells(scale: Scale): readonly Cell[] {
  return loadsOf(scale).flatMap(([load, guest]) =>
    Object.entries(options)
      .filter(([way]) => isMeasured(scale, load, way))
      .map(([way, beside]) => ({
        load,
        memoryBytes: memoryBytes[scale],
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
    title: 'Presets',
    metric,
    by: 'load',
    shows: () => true,
  })),
  recommends: true,
}
