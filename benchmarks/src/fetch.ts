/**
 * In which order pages follow in post-copy (`--fetch`), over a link of 1 Gbit/s: how much of what
 * the guest touches in its first second at the destination it has to wait for.
 *
 * The working set is the second half of memory, and the guest is inside it when it moves: a push
 * from the first page on is not by chance where the guest is. All of memory takes the link a little
 * more than the measured time: no access comes after the last page, and a push gets through to the
 * working set.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import { GodwitError } from '@godwit/core'
import type { Benchmark, BenchOptions } from './benchmark.ts'
import type { Namespaces } from './peer/namespaces.ts'
import { createNamespaces } from './peer/namespaces.ts'
import { requireNetworkTools } from './peer/tools.ts'
import { migrate } from './process.ts'
import type { Case, CaseFacts } from './result.ts'
import { pairedWith, toCase, toResult } from './result.ts'

const linkRate = '1gbit'
/** More than come one by one when each is asked for; less than half of what the link carries. */
const pagesPerSecond = 12_000
const waitBar = 0.5
const orders = ['demand', 'push', 'prepage', 'bubbles'] as const
type Order = (typeof orders)[number]
/** How the guest goes through its working set. */
const patterns = ['seq', 'clusters'] as const

interface Size {
  readonly memory: string
  readonly wss: string
  readonly measuredMs: number
}
const sizes = {
  full: { memory: '128MiB', wss: '64MiB', measuredMs: 1000 },
  small: { memory: '64MiB', wss: '32MiB', measuredMs: 500 },
} as const satisfies Record<string, Size>

/** The reports of each order, one per repeat. */
export type FetchSamples = Readonly<Record<Order, readonly Report[]>>

export const fetch: Benchmark = {
  name: 'fetch',
  summary: 'the orders in which pages follow in post-copy: what the guest waits for, over 1 Gbit/s',
  takesOnly: true,
  async run(options) {
    const wanted = choosePatterns(options)
    const size = sizes[options.quick ? 'small' : 'full']
    requireNetworkTools()
    const namespaces = await layLink()
    try {
      const cases: Case[] = []
      for (const pattern of wanted) {
        const samples = await measure(pattern, size, options, namespaces)
        cases.push(...fetchCases(pattern, size.measuredMs, samples))
      }
      return toResult('fetch', cases)
    } finally {
      await namespaces.remove()
    }
  },
}

/** @throws {GodwitError} `USAGE` */
export function choosePatterns({ only }: Pick<BenchOptions, 'only'>): readonly string[] {
  const unknown = only?.find((name) => !patterns.some((pattern) => pattern === name))
  if (unknown === undefined) return only ?? patterns
  const known = patterns.join(', ')
  throw new GodwitError('USAGE', `"${unknown}" is not a guest of fetch; there are ${known}`)
}

async function layLink(): Promise<Namespaces> {
  try {
    return await createNamespaces(linkRate)
  } catch (cause) {
    const text = 'A link between network namespaces cannot be laid here'
    throw new GodwitError('USAGE', text, { cause })
  }
}

/** All orders once in each repeat, and one before that finds memory for the others. */
async function measure(
  pattern: string,
  { memory, wss, measuredMs }: Size,
  { repeat, godwit, say }: BenchOptions,
  { shaped }: Namespaces,
): Promise<FetchSamples> {
  // Pages of random bytes: nothing but the order decides how soon one comes.
  const work = `rate=${pagesPerSecond},order=${pattern}`
  const guest = `writer,wss=${wss},${work},style=page,content=0/0/0/100`
  const move = async (order: Order): Promise<Report> => {
    const options = ['--memory', memory, '--mode', 'post-copy', '--fetch', order]
    return (await migrate(godwit, guest, options, shaped, `${measuredMs}ms`)).source
  }
  const samples: Record<Order, Report[]> = { demand: [], push: [], prepage: [], bubbles: [] }
  say(`fetch, ${pattern}: once before`)
  await move('demand')
  for (let i = 0; i < repeat; i++) {
    for (let j = 0; j < orders.length; j++) {
      const order = orders[(i + j) % orders.length]!
      say(`fetch, ${pattern}: ${i + 1} of ${repeat}, ${order}`)
      samples[order].push(await move(order))
    }
  }
  return samples
}

/** What each order came to, and `bubbles` repeat by repeat against others. */
export function fetchCases(pattern: string, measuredMs: number, samples: FetchSamples): Case[] {
  const perSecond = (count: number): number => (count * 1000) / measuredMs
  const read = {
    share: ({ faults, guestProof }: Report) => (100 * faults!.count) / guestProof!.stepsAfter,
    waits: ({ faults }: Report) => perSecond(faults!.count),
    accesses: ({ guestProof }: Report) => perSecond(guestProof!.stepsAfter),
  }
  const facts = (order: Order, metric: keyof typeof read): CaseFacts => ({
    name: `${pattern}, ${order}`,
    metric: metric === 'share' ? 'waits per 100 accesses' : metric,
    unit: metric === 'share' ? 'ratio' : '1/s',
    values: samples[order].map(read[metric]),
  })
  const against = (other: Order, metric: keyof typeof read): CaseFacts => ({
    ...facts('bubbles', metric),
    against: pairedWith(other, facts(other, metric).values),
  })
  const others = orders.filter((order) => order !== 'bubbles')
  return [
    ...others.map((order) => toCase(facts(order, 'share'))),
    toCase({ ...against('push', 'share'), bar: { op: '<=', value: waitBar } }),
    ...others.map((order) => toCase(facts(order, 'waits'))),
    toCase(against('push', 'waits')),
    ...others.map((order) => toCase(facts(order, 'accesses'))),
    toCase(against('demand', 'accesses')),
  ]
}
