/**
 * What tracking by the kernel costs: collecting, and the guest's own stores.
 *
 * @module
 */
import type { Region } from '@godwit/core'
import { GIB, MIB, PAGE_BYTES_DEFAULT, PageBitmap } from '@godwit/core'
import type { PagemapTracker } from '@godwit/linux'
import { createPagemapTrackers } from '@godwit/linux'
import { allocateRegion } from '@godwit/memory'
import { median } from 'simple-statistics'
import type { Benchmark } from './benchmark.ts'
import type { Case } from './result.ts'
import { toCase, toResult } from './result.ts'

const pageBytes = PAGE_BYTES_DEFAULT
/** Share of dirty pages in percent, and what a collect of 1 GiB may take. */
const scanBarsMs = [
  [0, 1],
  [1, 3],
  [10, 8],
  [100, 30],
] as const

export const tracker: Benchmark = {
  name: 'tracker',
  summary: 'pagemap: scan-and-clear of 1 GiB; the first store to a page after it, and later ones',
  async run({ quick, repeat, say }) {
    const byteLength = quick ? 128 * MIB : GIB
    const tracked = populated('tracked', byteLength)
    const plain = populated('plain', byteLength)
    const made = await createPagemapTrackers([tracked], pageBytes)
    if ('reason' in made) throw new Error(`the kernel does not track here: ${made.reason}`)
    const scans = new Map<number, number[]>(scanBarsMs.map(([percent]) => [percent, []]))
    const stores = { first: [] as number[], later: [] as number[], plain: [] as number[] }
    for (let i = 0; i < repeat; i++) {
      say(`tracker: ${i + 1} of ${repeat}`)
      const [one] = made.trackers as [PagemapTracker]
      // The stores of the time before are not this time's.
      one.reset()
      for (const [percent, values] of scans) values.push(scan(one, tracked, percent))
      one.reset()
      stores.first.push(storeNs(tracked.bytes))
      stores.later.push(storeNs(tracked.bytes))
      stores.plain.push(storeNs(plain.bytes))
    }
    made.close()
    return toResult('tracker', [...scanCases(scans), ...storeCases(stores)])
  },
}

/** Memory as a guest's is: every page there. */
function populated(name: string, byteLength: number): Region {
  const region = allocateRegion({ id: 0, name, byteLength })
  region.bytes.fill(1)
  return region
}

/** Milliseconds of one collect of everything, after a store to `percent` of all pages. */
function scan(one: PagemapTracker, { bytes }: Region, percent: number): number {
  if (percent > 0) {
    for (let at = 0; at < bytes.length; at += (100 / percent) * pageBytes) bytes[at]!++
  }
  const pageCount = bytes.length / pageBytes
  const dirty = new PageBitmap(pageCount)
  const startMs = performance.now()
  for (let page = 0; page < pageCount; page += one.collectPagesMax) {
    one.collect(page, Math.min(one.collectPagesMax, pageCount - page), dirty)
  }
  return performance.now() - startMs
}

/** Nanoseconds of one store, with one to every page. */
function storeNs(bytes: Uint8Array): number {
  const startMs = performance.now()
  for (let at = 0; at < bytes.length; at += pageBytes) bytes[at]!++
  return ((performance.now() - startMs) * 1e6) / (bytes.length / pageBytes)
}

function scanCases(scans: ReadonlyMap<number, number[]>): Case[] {
  return scanBarsMs.map(([percent, value]) =>
    toCase({
      name: 'scan and clear',
      metric: `${percent} % dirty`,
      unit: 'ms',
      values: scans.get(percent)!,
      bar: { op: '<=', value },
    }),
  )
}

function storeCases(stores: { first: number[]; later: number[]; plain: number[] }): Case[] {
  const facts = { name: 'store', unit: 'ns' } as const
  const against = { name: 'plain', median: median(stores.plain) }
  return [
    toCase({
      ...facts,
      metric: 'first after a scan',
      values: stores.first,
      bar: { op: '<=', value: 1500 },
    }),
    toCase({ ...facts, metric: 'later', values: stores.later, against }),
    toCase({ ...facts, metric: 'plain, untracked', values: stores.plain }),
  ]
}
