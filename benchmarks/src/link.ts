/**
 * Live migration by QEMU and by Godwit, in turn over the same link of 1 Gbit/s: guests with the
 * same memory that write the same pages at the same rate.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import type { Benchmark, BenchOptions } from './benchmark.ts'
import type { LinkCase } from './link-cases.ts'
import { linkCases } from './link-cases.ts'
import type { GodwitFigures } from './peer/godwit-migration.ts'
import { migrateGodwit } from './peer/godwit-migration.ts'
import type { Namespaces } from './peer/namespaces.ts'
import { createNamespaces } from './peer/namespaces.ts'
import type { Figures, QemuFigures } from './peer/qemu-migration.ts'
import { migrateQemu } from './peer/qemu-migration.ts'
import { dumpRam } from './peer/ram-dump.ts'
import { saveGuest } from './peer/saved-guest.ts'
import type { Workshop } from './peer/workshop.ts'
import { openWorkshop } from './peer/workshop.ts'
import type { Case, CaseFacts, Unit } from './result.ts'
import { pairedWith, toCase, toResult } from './result.ts'

const rate = '1gbit'
/** The ones of a quick run. */
const quickNames = ['idle', 'few25k']

/** One value per repeat in each. */
export interface LinkSamples {
  readonly peers: ReadonlyMap<string, QemuFigures[]>
  readonly godwit: GodwitFigures[]
}

export const link: Benchmark = {
  name: 'link',
  summary: "QEMU 7.2's live migration and Godwit in turn over a shaped link of 1 Gbit/s",
  async run(options) {
    const wanted = choose(options)
    const workshop = await openWorkshop()
    const namespaces = await createNamespaces(rate)
    try {
      const cases: Case[] = []
      for (const one of wanted) {
        const samples = await measure(one, options, workshop, namespaces)
        cases.push(...casesOf(one, samples))
      }
      return toResult('link', cases)
    } finally {
      await namespaces.remove()
    }
  },
}

/** @throws {GodwitError} `USAGE` */
function choose({ quick, only }: BenchOptions): readonly LinkCase[] {
  const all = linkCases(quick ? 'small' : 'full')
  const names = only ?? (quick ? quickNames : all.map(({ name }) => name))
  return names.map((name) => {
    const found = all.find((one) => one.name === name)
    if (found !== undefined) return found
    const known = all.map((one) => one.name).join(', ')
    throw new GodwitError('USAGE', `"${name}" is not a case of link; there are ${known}`)
  })
}

async function measure(
  { name, load, route, peers, options }: LinkCase,
  { repeat, godwit, say }: BenchOptions,
  workshop: Workshop,
  namespaces: Namespaces,
): Promise<LinkSamples> {
  say(`link, ${name}: making the guest, unless it is there`)
  const guest = await saveGuest(workshop, load)
  await dumpRam(guest)
  const samples = { peers: new Map<string, QemuFigures[]>(), godwit: [] as GodwitFigures[] }
  for (const peer of peers) samples.peers.set(peer.name, [])
  for (let i = 0; i < repeat; i++) {
    for (const peer of peers) {
      say(`link, ${name}: ${i + 1} of ${repeat}, ${peer.name}`)
      samples.peers.get(peer.name)!.push(await migrateQemu(guest, peer, namespaces[route]))
    }
    say(`link, ${name}: ${i + 1} of ${repeat}, godwit`)
    samples.godwit.push(await migrateGodwit(guest, { godwit, options }, namespaces[route]))
  }
  return samples
}

const figures = [
  ['total', 'ms', (one: Figures) => one.totalMs],
  ['pause', 'ms', (one: Figures) => one.pauseMs],
  ['wire bytes', 'bytes', (one: Figures) => one.wireBytes],
  ['CPU', 's', (one: Figures) => one.cpuSeconds],
  ['guest blocked', 'ms', (one: Figures) => one.blockedMs ?? Number.NaN],
] as const satisfies readonly (readonly [string, Unit, (one: Figures) => number])[]

/** What each side took, and Godwit repeat by repeat against each peer; bars are about the first. */
export function casesOf({ name, peers, bars }: LinkCase, samples: LinkSamples): Case[] {
  const ratioBars = {
    total: bars.total,
    'wire bytes': bars.bytes,
    pause: bars.pause,
    CPU: undefined,
    'guest blocked': bars.blocked,
  }
  const cases: Case[] = []
  for (const [metric, unit, read] of figures) {
    const facts = { name: `${name}, godwit`, metric, unit, values: samples.godwit.map(read) }
    if (facts.values.some(Number.isNaN)) continue
    if (metric === 'pause' && bars.pauseMs !== undefined) cases.push(atMost(facts, bars.pauseMs))
    for (const [i, peer] of peers.entries()) {
      const values = samples.peers.get(peer.name)!.map(read)
      if (values.some(Number.isNaN)) continue
      cases.push(toCase({ name: `${name}, ${peer.name}`, metric, unit, values }))
      const compared = { ...facts, against: pairedWith(peer.name, values) }
      cases.push(atMost(compared, i === 0 ? ratioBars[metric] : undefined))
    }
  }
  if (bars.totalOfBest !== undefined) cases.push(againstBest(name, samples, bars.totalOfBest))
  return [...cases, ...remarks(name, samples)]
}

/** Repeat by repeat against whichever peer was quickest in it. */
function againstBest(name: string, { peers, godwit }: LinkSamples, value: number): Case {
  const totals = [...peers.values()].map((all) => all.map(({ totalMs }) => totalMs))
  const best = godwit.map((_, i) => Math.min(...totals.map((all) => all[i]!)))
  const values = godwit.map(({ totalMs }) => totalMs)
  const facts = { name: `${name}, godwit`, metric: 'total', unit: 'ms', values } as const
  return atMost({ ...facts, against: pairedWith('the best of qemu', best) }, value)
}

function atMost(facts: CaseFacts, value: number | undefined): Case {
  return toCase(value === undefined ? facts : { ...facts, bar: { op: '<=', value } })
}

/** What has no counterpart at the other side. */
function remarks(name: string, { peers, godwit }: LinkSamples): Case[] {
  const preparation = toCase({
    name: `${name}, godwit`,
    metric: 'before the total: until pages flow',
    unit: 'ms',
    values: godwit.map(({ preparationMs }) => preparationMs),
  })
  const rates = [...peers].map(([peer, all]) =>
    toCase({
      name: `${name}, ${peer}`,
      metric: 'pages written by its guest',
      unit: '1/s',
      values: all.map(({ guestRate }) => guestRate),
    }),
  )
  return [preparation, ...rates]
}
