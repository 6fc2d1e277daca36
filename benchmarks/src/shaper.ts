/**
 * Whether a link through a proxy is like one that the kernel shapes: what a long message has of the
 * rate, and how long a short one takes, in turn over both.
 *
 * @module
 */
import { parseRate } from '@godwit/core'
import type { Benchmark } from './benchmark.ts'
import { formatLinkRate } from './paper/cell.ts'
import { LineProcess } from './paper/line-process.ts'
import { PROBE_PROGRAM } from './paper/message-probe.ts'
import type { LinkKind, ShapedLink } from './paper/shaped-link.ts'
import { LINK_KINDS, layLink } from './paper/shaped-link.ts'
import type { Case, CaseFacts } from './result.ts'
import { pairedWith, toCase, toResult } from './result.ts'

const rates = [parseRate('100Mbit'), parseRate('1Gbit')]
/** Long and short messages take the link so long. */
const longMs = 1500
const shortMs = 75
const slackMax = 0.05

interface Sample {
  readonly bytesPerSecond: number
  readonly messageMs: number
}
type Samples = Readonly<Record<LinkKind, Sample[]>>

export const shaper: Benchmark = {
  name: 'shaper',
  summary: 'a link through a proxy against one that the kernel shapes: rate, and time of a message',
  async run({ quick, repeat, say }) {
    const cases: Case[] = []
    for (const rate of rates) {
      const samples: Samples = { tbf: [], proxy: [] }
      for (let i = 0; i < repeat; i++) {
        for (const kind of LINK_KINDS) {
          say(`shaper, ${formatLinkRate(rate)}, ${kind}: ${i + 1} of ${repeat}`)
          samples[kind].push(await measure(rate, kind, quick ? longMs / 5 : longMs))
        }
      }
      cases.push(...shaperCases(formatLinkRate(rate), samples))
    }
    return toResult('shaper', cases)
  },
}

async function measure(rate: number, kind: LinkKind, ms: number): Promise<Sample> {
  const link = await layLink(rate, kind)
  const { source, destination, host } = link.ends
  const server = new LineProcess(destination.prefix, PROBE_PROGRAM, ['answer', host])
  try {
    return await exchange(link, rate, await server.answer(), source.prefix, ms)
  } finally {
    await server.end()
    await link.remove()
  }
}

async function exchange(
  link: ShapedLink,
  rate: number,
  address: string,
  prefix: readonly string[],
  ms: number,
): Promise<Sample> {
  const reached = await link.ends.reach(address)
  const client = new LineProcess(prefix, PROBE_PROGRAM, ['ask', reached])
  try {
    await client.answer()
    const send = async (takesMs: number): Promise<{ bytes: number; ms: number }> => {
      const bytes = Math.round((rate * takesMs) / 1e3)
      return { bytes, ms: Number(await client.ask(String(bytes))) }
    }
    // Windows open.
    await send(ms)
    const { ms: messageMs } = await send(shortMs)
    const long = await send(ms)
    return { bytesPerSecond: (1e3 * long.bytes) / long.ms, messageMs }
  } finally {
    await client.end()
  }
}

/** Both as they are, and how far the proxy is off, either way, pair by pair. */
export function shaperCases(name: string, samples: Samples): Case[] {
  const figures = [
    ['payload of a long message', 'bytes/s', (one: Sample) => one.bytesPerSecond],
    [`a message of ${shortMs} ms`, 'ms', (one: Sample) => one.messageMs],
  ] as const
  return figures.flatMap(([metric, unit, read]) => {
    const [tbf, proxy] = [samples.tbf.map(read), samples.proxy.map(read)]
    const facts = (kind: LinkKind, values: number[]): CaseFacts => {
      return { name: `${name}, ${kind}`, metric, unit, values }
    }
    return [
      toCase(facts('tbf', tbf)),
      toCase({ ...facts('proxy', proxy), against: pairedWith('tbf', tbf) }),
      toCase({
        name: `${name}, proxy`,
        metric: `${metric}: off by, either way`,
        unit: 'ratio',
        values: proxy.map((value, i) => Math.abs(value / tbf[i]! - 1)),
        bar: { op: '<=', value: slackMax },
      }),
    ]
  })
}
