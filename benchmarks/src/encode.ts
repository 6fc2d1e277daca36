/**
 * How pages are encoded: the delta kernel and the compressors on their own, and whether what `auto`
 * picks is the best there is, over links of different speed.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import { GodwitError } from '@godwit/core'
import type { Benchmark, BenchOptions } from './benchmark.ts'
import { choiceCases } from './encode/choice-cases.ts'
import type { GuestCase, LinkPart } from './encode/choices.ts'
import { choicesOf, linkParts } from './encode/choices.ts'
import { measureCompressors } from './encode/compressors.ts'
import { measureDeltas } from './encode/delta-kernel.ts'
import type { Namespaces } from './peer/namespaces.ts'
import { createNamespaces } from './peer/namespaces.ts'
import { requireNetworkTools } from './peer/tools.ts'
import type { Ends } from './process.ts'
import { migrate } from './process.ts'
import type { Case } from './result.ts'
import { toResult } from './result.ts'

/** Left out of a quick run, unless it is asked for. */
const slowName = '100mbit'

interface Part {
  readonly name: string
  /** Of the link to lay, if one is. */
  readonly rate?: string | undefined
  measure(options: BenchOptions): Promise<Case[]>
}

export const encode: Benchmark = {
  name: 'encode',
  summary: 'deltas and compressors on their own; --encode auto against each fixed choice',
  takesOnly: true,
  async run(options) {
    const wanted = chooseParts(options)
    const rates = wanted.flatMap(({ rate }) => rate ?? [])
    if (rates.length > 0) await tryLink(rates[0]!)
    const cases: Case[] = []
    for (const part of wanted) cases.push(...(await part.measure(options)))
    return toResult('encode', cases)
  },
}

/** The parts that are asked for. @throws {GodwitError} `USAGE` */
export function chooseParts({ quick, only }: Pick<BenchOptions, 'quick' | 'only'>): Part[] {
  const sampleMs = quick ? 30 : 200
  const all: Part[] = [
    {
      name: 'delta',
      measure: ({ repeat, say }) => {
        say('encode, delta')
        return Promise.resolve(measureDeltas(repeat, sampleMs))
      },
    },
    {
      name: 'compressors',
      measure: ({ repeat, say }) => {
        say('encode, compressors')
        return measureCompressors(repeat, sampleMs)
      },
    },
    ...linkParts(quick).map((part) => ({
      name: part.name,
      rate: part.rate,
      measure: (options: BenchOptions) => measureLink(part, options),
    })),
  ]
  if (only === undefined) return all.filter(({ name }) => !(quick && name === slowName))
  return only.map((name) => {
    const found = all.find((one) => one.name === name)
    if (found !== undefined) return found
    const known = all.map((one) => one.name).join(', ')
    throw new GodwitError('USAGE', `"${name}" is not a part of encode; there are ${known}`)
  })
}

/** Lays a link and takes it away again, so that nothing is measured where none can be had. */
async function tryLink(rate: string): Promise<void> {
  requireNetworkTools()
  try {
    await (await createNamespaces(rate)).remove()
  } catch (cause) {
    const text = 'A link between network namespaces cannot be laid here; --only picks other parts'
    throw new GodwitError('USAGE', text, { cause })
  }
}

async function measureLink(part: LinkPart, options: BenchOptions): Promise<Case[]> {
  const { name, rate, guests } = part
  const namespaces = rate === undefined ? undefined : await createNamespaces(rate)
  try {
    const cases: Case[] = []
    for (const guest of guests) {
      const samples = await measureGuest(name, guest, options, namespaces)
      cases.push(...choiceCases(`${name}, ${guest.name}`, samples))
    }
    return cases
  } finally {
    await namespaces?.remove()
  }
}

/** All choices once in each repeat, and one before that finds memory for the others. */
async function measureGuest(
  link: string,
  { name, guest, options }: GuestCase,
  { repeat, godwit, say }: BenchOptions,
  namespaces: Namespaces | undefined,
): Promise<Map<string, Report[]>> {
  const samples = new Map<string, Report[]>()
  const ends: Ends | undefined = namespaces?.shaped
  const move = async (choice: string): Promise<Report> =>
    (await migrate(godwit, guest, [...options, '--encode', choice], ends)).source
  say(`encode, ${link}, ${name}: once before`)
  await move('none')
  for (let i = 0; i < repeat; i++) {
    for (const choice of choicesOf(i)) {
      say(`encode, ${link}, ${name}: ${i + 1} of ${repeat}, ${choice}`)
      const report = await move(choice)
      const reports = samples.get(choice)
      if (reports === undefined) samples.set(choice, [report])
      else reports.push(report)
    }
  }
  return samples
}
