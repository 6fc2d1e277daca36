/**
 * Live migration by QEMU and by Godwit, in turn over the same link of 1 Gbit/s: guests with the
 * same memory that write the same pages at the same rate.
 *
 * @module
 */
import type { Benchmark, BenchOptions } from './benchmark.ts'
import { chooseNamed } from './choose.ts'
import type { LinkBars, LinkCase } from './link-cases.ts'
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
/**
 * A mode of Godwit is compared with no shorter pause: what is left of those, state and the guest's
 * threads, is the same in each mode, and varies by more than one may be worse.
 */
const pauseFloorMs = 10

/** One value per repeat in each. */
export interface LinkSamples {
  readonly peers: ReadonlyMap<string, QemuFigures[]>
  /** Of Godwit's other modes. */
  readonly modes: ReadonlyMap<string, GodwitFigures[]>
  readonly godwit: GodwitFigures[]
}

export const link: Benchmark = {
  name: 'link',
  summary: "QEMU 7.2's live migration and Godwit in turn over a shaped link of 1 Gbit/s",
  takesOnly: true,
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
  return chooseNamed('link', all, only ?? (quick ? quickNames : all.map(({ name }) => name)))
}

async function measure(
  { name, load, route, peers, modes = [], options }: LinkCase,
  { repeat, godwit, say }: BenchOptions,
  workshop: Workshop,
  namespaces: Namespaces,
): Promise<LinkSamples> {
  say(`link, ${name}: making the guest, unless it is there`)
  const guest = await saveGuest(workshop, load)
  await dumpRam(guest)
  const samples = {
    peers: new Map(peers.map((peer) => [peer.name, [] as QemuFigures[]])),
    modes: new Map(modes.map((mode) => [mode.name, [] as GodwitFigures[]])),
    godwit: [] as GodwitFigures[],
  }
  const move = (choice: readonly string[]): Promise<GodwitFigures> =>
    migrateGodwit(guest, { godwit, options: choice }, namespaces[route])
  for (let i = 0; i < repeat; i++) {
    const tell = (who: string): void => say(`link, ${name}: ${i + 1} of ${repeat}, ${who}`)
    for (const peer of peers) {
      tell(peer.name)
      samples.peers.get(peer.name)!.push(await migrateQemu(guest, peer, namespaces[route]))
    }
    for (const mode of modes) {
      tell(mode.name)
      samples.modes.get(mode.name)!.push(await move(mode.options))
    }
    tell('godwit')
    samples.godwit.push(await move(options))
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
export function casesOf({ name, bars }: LinkCase, samples: LinkSamples): Case[] {
  const others: [string, readonly Figures[]][] = [...samples.peers, ...samples.modes]
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
    for (const [i, [other, all]] of others.entries()) {
      const values = all.map(read)
      if (values.some(Number.isNaN)) continue
      cases.push(toCase({ name: `${name}, ${other}`, metric, unit, values }))
      const compared = { ...facts, against: pairedWith(other, values) }
      cases.push(atMost(compared, i === 0 ? ratioBars[metric] : undefined))
    }
  }
  return [...cases, ...againstBest(name, bars, samples), ...remarks(name, samples)]
}

/** Repeat by repeat against whichever of the others was best in it. */
function againstBest(name: string, bars: LinkBars, { peers, modes, godwit }: LinkSamples): Case[] {
  const compare = (
    [metric, read, floor]: readonly ['total' | 'pause', (one: Figures) => number, number],
    [who, others]: readonly [string, ReadonlyMap<string, readonly Figures[]>],
    value: number | undefined,
  ): Case[] => {
    if (value === undefined) return []
    const best = godwit.map((_, i) => {
      return Math.max(floor, Math.min(...[...others.values()].map((all) => read(all[i]!))))
    })
    const facts = { name: `${name}, godwit`, metric, unit: 'ms', values: godwit.map(read) } as const
    return [atMost({ ...facts, against: pairedWith(`the best of ${who}`, best) }, value)]
  }
  const total = ['total', (one: Figures) => one.totalMs, 0] as const
  const pause = ['pause', (one: Figures) => one.pauseMs, pauseFloorMs] as const
  const own = ['its other modes', modes] as const
  return [
    ...compare(total, ['qemu', peers], bars.totalOfBest),
    ...compare(total, own, bars.ofBestMode),
    ...compare(pause, own, bars.ofBestMode),
  ]
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
