/**
 * Real virtual machines: QEMU's own migration and Godwit in turn, of the same saved guests over the
 * same link.
 *
 * @module
 */
import type { Benchmark, BenchOptions } from './benchmark.ts'
import { chooseNamed } from './choose.ts'
import type { Namespaces } from './peer/namespaces.ts'
import { createNamespaces } from './peer/namespaces.ts'
import type { Figures, QemuFigures } from './peer/qemu-migration.ts'
import { migrateQemu } from './peer/qemu-migration.ts'
import { saveGuest } from './peer/saved-guest.ts'
import type { VmFigures } from './peer/vm-migration.ts'
import { migrateVm } from './peer/vm-migration.ts'
import type { Workshop } from './peer/workshop.ts'
import { openWorkshop } from './peer/workshop.ts'
import type { QemuBars, QemuCase, QemuWay } from './qemu-cases.ts'
import { qemuCases } from './qemu-cases.ts'
import type { Case, CaseFacts, Unit } from './result.ts'
import { pairedWith, toCase, toResult } from './result.ts'

const rate = '1gbit'
/** The one of a quick run. */
const quickName = 'idle'

/** One value per repeat in each. */
export interface QemuSamples {
  readonly peers: ReadonlyMap<string, readonly QemuFigures[]>
  readonly ways: ReadonlyMap<QemuWay, readonly VmFigures[]>
}

export const qemu: Benchmark = {
  name: 'qemu',
  summary: "real virtual machines: QEMU 7.2's own live migration and Godwit in turn",
  takesOnly: true,
  async run(options) {
    const wanted = choose(options)
    const workshop = await openWorkshop()
    const namespaces = await createNamespaces(rate)
    try {
      const cases: Case[] = []
      for (const one of wanted) {
        cases.push(...casesOf(one, await measure(one, options, workshop, namespaces)))
      }
      return toResult('qemu', cases)
    } finally {
      await namespaces.remove()
    }
  },
}

/** @throws {GodwitError} `USAGE` */
function choose({ quick, only }: BenchOptions): readonly QemuCase[] {
  const all = qemuCases(quick ? 'small' : 'full')
  return chooseNamed('qemu', all, only ?? (quick ? [quickName] : all.map(({ name }) => name)))
}

async function measure(
  { name, load, route, peers, ways, downtimeLimitMs }: QemuCase,
  { repeat, godwit, say }: BenchOptions,
  workshop: Workshop,
  namespaces: Namespaces,
): Promise<QemuSamples> {
  say(`qemu, ${name}: making the guest, unless it is there`)
  const guest = await saveGuest(workshop, load)
  const byPeer = new Map(peers.map((peer) => [peer.name, [] as QemuFigures[]]))
  const byWay = new Map(ways.map((way) => [way, [] as VmFigures[]]))
  for (let i = 0; i < repeat; i++) {
    const tell = (who: string): void => say(`qemu, ${name}: ${i + 1} of ${repeat}, ${who}`)
    for (const peer of peers) {
      tell(peer.name)
      byPeer.get(peer.name)!.push(await migrateQemu(guest, peer, namespaces[route]))
    }
    for (const way of ways) {
      tell(nameOf(way))
      const options = { ...way, downtimeLimitMs, godwit }
      byWay.get(way)!.push(await migrateVm(guest, options, namespaces[route]))
    }
  }
  return { peers: byPeer, ways: byWay }
}

function nameOf({ attach }: QemuWay): string {
  return `godwit attach=${attach}`
}

const figures = [
  ['total', 'ms', (one: Figures) => one.totalMs],
  ['pause', 'ms', (one: Figures) => one.pauseMs],
  ['wire bytes', 'bytes', (one: Figures) => one.wireBytes],
  ['CPU', 's', (one: Figures) => one.cpuSeconds],
] as const satisfies readonly (readonly [string, Unit, (one: Figures) => number])[]

/** What each took; Godwit repeat by repeat against QEMU's best. */
export function casesOf({ name, ways }: QemuCase, samples: QemuSamples): Case[] {
  const cases: Case[] = []
  for (const [metric, unit, read] of figures) {
    for (const [peer, all] of samples.peers) {
      cases.push(toCase({ name: `${name}, ${peer}`, metric, unit, values: all.map(read) }))
    }
    for (const way of ways) {
      const values = samples.ways.get(way)!.map(read)
      const facts = { name: `${name}, ${nameOf(way)}`, metric, unit, values }
      cases.push(...judged(facts, way.bars, samples.peers))
    }
  }
  for (const way of ways) cases.push(...partsOf(name, way, samples.ways.get(way)!))
  return cases
}

function judged(
  facts: CaseFacts,
  bars: QemuBars,
  peers: ReadonlyMap<string, readonly QemuFigures[]>,
): Case[] {
  const { metric } = facts
  const cases: Case[] = []
  if (metric === 'pause' && bars.pauseMs !== undefined) cases.push(atMost(facts, bars.pauseMs))
  if (peers.size === 0) return cases.length > 0 ? cases : [toCase(facts)]
  const bar = { total: bars.total, pause: bars.pause, 'wire bytes': bars.bytes }[metric]
  const best = facts.values.map((_, i) =>
    bestOf(
      metric,
      [...peers.values()].map((all) => all[i]!),
    ),
  )
  return [...cases, atMost({ ...facts, against: pairedWith("QEMU's best mode", best) }, bar)]
}

/** Of one repeat; of a pause, that of the mode with the best total. */
function bestOf(metric: string, peers: readonly QemuFigures[]): number {
  const least = (read: (one: QemuFigures) => number): number => Math.min(...peers.map(read))
  if (metric === 'total') return least((one) => one.totalMs)
  if (metric === 'wire bytes') return least((one) => one.wireBytes)
  if (metric === 'CPU') return least((one) => one.cpuSeconds)
  const totalMs = least((one) => one.totalMs)
  return peers.find((one) => one.totalMs === totalMs)!.pauseMs
}

function atMost(facts: CaseFacts, value: number | undefined): Case {
  return toCase(value === undefined ? facts : { ...facts, bar: { op: '<=', value } })
}

/** Of the pause, what stopping, pages, QEMU's state and going on take; and what comes before. */
function partsOf(name: string, way: QemuWay, all: readonly VmFigures[]): Case[] {
  const part = (metric: string, read: (one: VmFigures) => number): Case =>
    toCase({ name: `${name}, ${nameOf(way)}`, metric, unit: 'ms', values: all.map(read) })
  return [
    part('pause: QEMU stops', ({ report }) => report.downtime!.pauseMs),
    part('pause: looking for pages, and pages', ({ report }) => report.downtime!.pagesMs),
    part("pause: QEMU's state, told and loaded", ({ report }) => report.downtime!.stateMs),
    part('pause: QEMU goes on', ({ report }) => report.downtime!.resumeMs),
    part('before the total: until pages flow', ({ preparationMs }) => preparationMs),
  ]
}
