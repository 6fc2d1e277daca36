/**
 * Cases for a destination: a guest that runs before its pages are there.
 *
 * @module
 */
import type { ErrorCode, PageRun } from '@godwit/core'
import type { Hello } from '@godwit/wire'
import { encodePageRuns } from '@godwit/wire'
import { raw, zero } from '../batch.ts'
import type { Case } from '../case.ts'
import { check, Failure, Skip } from '../failure.ts'
import { FIRST_REGION, SECOND_REGION } from '../guest-memory.ts'
import * as rich from '../rich-runs.ts'
import type { DestinationContext, ScriptedSource } from '../scripted-source.ts'

type C = Case<DestinationContext>

const region = FIRST_REGION
/** For a guest that may touch no page at all. */
const touchMs = 1000
const quietMs = 100

/** A source that asks for post-copy; the case is skipped where that is refused. */
export async function postCopySource(
  context: DestinationContext,
  terms: Partial<Hello> = {},
): Promise<ScriptedSource> {
  const probe = context.source({ optional: ['post-copy'] })
  await probe.greet()
  probe.need('post-copy')
  await probe.end()
  return context.source({ mode: 'post-copy', required: ['post-copy'], ...terms })
}

/** Every page of some regions, on the first data channel. */
export function push(source: ScriptedSource, round: number, from = 0): void {
  for (const { id } of source.memory.regions) {
    for (let page = from; page < source.memory.pageCount(id); page++) {
      source.lane.batch({ round, region: id, runs: [raw(page, source.memory.page(id, page))] })
    }
  }
}

/** All pages follow; those that the guest touches are asked for, and sent at once. */
async function played(context: DestinationContext): Promise<void> {
  const source = await postCopySource(context, { verify: 'fingerprints', optional: ['final'] })
  await source.open()
  await source.handOverOpened(source.everything)
  source.begin(1, 'post-copy')
  const asked = await answerRequest(source)
  for (const { id } of source.memory.regions) {
    for (let page = 0; page < source.memory.pageCount(id); page++) {
      if (asked?.region === id && asked.page === page) continue
      source.lane.batch({ round: 1, region: id, runs: [raw(page, source.memory.page(id, page))] })
    }
  }
  source.finish(1)
  await acknowledgedAmidRequests(source, 1)
  await source.conclude(1)
}

interface Asked {
  readonly region: number
  readonly page: number
}

/** The first PAGE_REQUEST, if one comes, with its answer. */
async function answerRequest(source: ScriptedSource): Promise<Asked | undefined> {
  const urgent = source.urgent!
  const event = await source.exchange.find(({ channel }) => channel === urgent.channel, touchMs)
  if (event === undefined) return undefined
  const { heard } = event
  if (heard.kind !== 'message' || heard.message.name !== 'PageRequest') {
    throw new Failure('C6.33', 'PAGE_REQUEST', heard.kind)
  }
  const { region: id, page } = heard.message.body
  const isThere = source.memory.regions.some((one) => one.id === id)
  check('C4.45', isThere && page < source.memory.pageCount(id), 'a page of the guest', { id, page })
  urgent.batch({ round: 1, region: id, runs: [raw(page, source.memory.page(id, page))] })
  return { region: id, page }
}

/** Requests for pages that are on their way say nothing. */
async function acknowledgedAmidRequests(source: ScriptedSource, round: number): Promise<void> {
  await source.acknowledged(round, 'C6.39')
  source.exchange.drop(source.urgent!.channel)
}

async function demand(context: DestinationContext): Promise<void> {
  const source = await postCopySource(context)
  await source.open()
  await source.handOverOpened(source.everything)
  source.begin(1, 'post-copy')
  const first = await answerRequest(source)
  if (first === undefined) throw new Skip('the guest touched no page that it lacked')
  const again = await source.exchange.find(({ channel, heard }) => {
    if (channel !== source.urgent!.channel || heard.kind !== 'message') return false
    const { name, body } = heard.message
    return name === 'PageRequest' && body.region === first.region && body.page === first.page
  }, quietMs)
  check('C6.33', again === undefined, 'one request for a page', 'two')
}

/** Pages that are not named hold zero bytes; one that is keeps what it holds, for a delta. */
async function unnamed(context: DestinationContext): Promise<void> {
  const terms = { verify: 'fingerprints', optional: ['delta'] } as const
  const source = await postCopySource(context, terms)
  await source.open()
  const { memory } = source
  await source.handOverOpened([[SECOND_REGION, { firstPage: 0, pageCount: 2 }]])
  for (const { bytes } of memory.regions) bytes.fill(0)
  source.begin(1, 'post-copy', 2)
  memory.write(SECOND_REGION, 0, 5)
  memory.page(SECOND_REGION, 1)[7] = 9
  const [one, other] = [0, 1].map((page) => memory.page(SECOND_REGION, page))
  source.lane.batch({ round: 1, region: SECOND_REGION, runs: [raw(0, one!)] })
  const zeros = rich.checkOf(source.hashes, new Uint8Array(memory.pageBytes))
  const run = source.welcome.capabilities.includes('delta')
    ? rich.delta(1, zeros, rich.change(7, 9), other!)
    : raw(1, other!)
  source.lane.batch({ round: 1, region: SECOND_REGION, runs: [run] })
  source.finish(1)
  await acknowledgedAmidRequests(source, 1)
  await source.conclude(1)
}

/** Pages that travel as soon as COMMIT is out, before anybody announced the round. */
async function early(context: DestinationContext): Promise<void> {
  const source = await postCopySource(context, { verify: 'fingerprints' })
  await source.open()
  source.memory.fill()
  await source.switchOver(0, true)
  source.discard(source.everything)
  source.sendState()
  await source.ready('C6.26')
  push(source, 1)
  await source.commit()
  source.begin(1, 'post-copy')
  source.finish(1)
  await source.acknowledged(1, 'C6.28')
  await source.conclude(1)
}

async function badDiscard(context: DestinationContext): Promise<void> {
  const whole4: PageRun = { firstPage: 0, pageCount: 4 }
  const wrong: readonly (readonly [clause: string, ErrorCode, number, readonly PageRun[]])[] = [
    ['C6.22', 'CODEC_PAGE_RANGE', 9, [whole4]],
    ['C6.22', 'CODEC_PAGE_RANGE', region, [{ firstPage: 0, pageCount: 5 }]],
    ['C6.22', 'CODEC_PAGE_RANGE', region, [{ firstPage: 0, pageCount: 0 }]],
    ['C6.22', 'CODEC_PAGE_RANGE', region, [{ firstPage: 0xffffffff, pageCount: 1 }]],
    ['C6.23', 'PROTOCOL_STATE', region, [whole4, { firstPage: 0, pageCount: 1 }]],
  ]
  for (const [clause, code, id, runs] of wrong) {
    const source = await postCopySource(context)
    await (await source.open()).switchOver(0, true)
    source.control.send('Discard', { region: id, runs: encodePageRuns(runs) })
    await source.refused(clause, code)
    await source.end()
  }
}

/** In the post-copy round, of which page 0 of the first region is the whole set. */
function inRound(
  clause: string,
  code: ErrorCode,
  play: (source: ScriptedSource) => void,
): C['play'] {
  return async (context) => {
    const source = await postCopySource(context, { optional: ['references'] })
    await source.handOver([[region, { firstPage: 0, pageCount: 1 }]])
    source.begin(1, 'post-copy', 1)
    play(source)
    await source.refused(clause, code)
  }
}

const page0 = (source: ScriptedSource) => source.memory.page(region, 0)

/** Content that is not there, and its repair, while the guest runs. */
async function repaired(context: DestinationContext): Promise<void> {
  const source = await postCopySource(context, { optional: ['delta'] })
  await source.handOver([[region, { firstPage: 0, pageCount: 1 }]])
  source.need('delta')
  source.begin(1, 'post-copy', 1)
  const { lane } = source
  const run = rich.delta(0, 0x12345678, new Uint8Array(0), page0(source))
  lane.batch({ round: 1, region, runs: [run] })
  source.finish(1)
  const event = await source.exchange.find(({ channel, heard }) => {
    if (channel !== lane.channel || heard.kind !== 'message') return false
    return heard.message.name === 'Nak'
  })
  if (event === undefined) throw new Failure('C6.40', 'NAK', 'nothing')
  lane.repair({ round: 1, region, runs: [raw(0, page0(source))] })
  await acknowledgedAmidRequests(source, 1)
  await source.conclude(1)
}

async function finalAfter(context: DestinationContext): Promise<void> {
  const source = await postCopySource(context, { optional: ['final'] })
  await source.handOver([[SECOND_REGION, { firstPage: 8, pageCount: 1 }]])
  const { finalAfterMs } = source.welcome
  if (finalAfterMs === undefined) throw new Skip('FINAL is not announced')
  const soon = await source.exchange.find(({ channel, heard }) => {
    return channel === source.control && heard.kind === 'message'
  }, finalAfterMs + quietMs)
  check('C6.112', soon === undefined, 'FINAL after ROUND_ACK', soon?.heard)
  source.begin(1, 'post-copy', 1)
  const run = raw(8, source.memory.page(SECOND_REGION, 8))
  source.lane.batch({ round: 1, region: SECOND_REGION, runs: [run] })
  source.finish(1)
  await source.acknowledged(1, 'C6.112')
  await source.conclude(1)
}

export const postCopyCases: readonly C[] = [
  {
    name: 'post-copy/played',
    clauses: ['C4.56', 'C10.4', 'C2.14', 'C6.26', 'C6.39', 'C6.41', 'C6.108', 'C4.31', 'C6.38'],
    play: played,
  },
  { name: 'post-copy/demand', clauses: ['C4.45', 'C6.33'], play: demand },
  { name: 'post-copy/unnamed', clauses: ['C6.24', 'C6.25', 'C6.105'], play: unnamed },
  { name: 'post-copy/early', clauses: ['C6.28'], play: early },
  { name: 'post-copy/discard', clauses: ['C6.22', 'C6.23', 'C4.31'], play: badDiscard },
  {
    name: 'post-copy/twice',
    clauses: ['C6.30'],
    play: inRound('C6.30', 'PROTOCOL_STATE', (source) => {
      const runs = [raw(0, page0(source))]
      source.lane.batch({ round: 1, region, runs })
      source.lane.batch({ round: 1, region, runs })
    }),
  },
  {
    name: 'post-copy/not-in-the-set',
    clauses: ['C6.30'],
    play: inRound('C6.30', 'PROTOCOL_STATE', (source) => {
      source.lane.batch({ round: 1, region, runs: [raw(1, source.memory.page(region, 1))] })
    }),
  },
  {
    name: 'post-copy/lacking',
    clauses: ['C6.31'],
    play: inRound('C6.31', 'PROTOCOL_TOTALS', (source) => source.finish(1)),
  },
  {
    name: 'post-copy/urgent-encoding',
    clauses: ['C6.34'],
    play: inRound('C6.34', 'CODEC_ENCODING', (source) => {
      const run = rich.sameAs(0, { region, page: 1 }, 0, page0(source))
      source.urgent!.batch({ round: 1, region, runs: [run] })
    }),
  },
  {
    name: 'post-copy/digest',
    clauses: ['C6.32'],
    play: inRound('C6.32', 'CODEC_DIGEST', (source) => {
      source.urgent!.batch({ round: 1, region, runs: [raw(0, page0(source))], digest: 1n })
    }),
  },
  {
    name: 'post-copy/another-round',
    clauses: ['C5.52'],
    play: inRound('C5.52', 'PROTOCOL_STATE', (source) => {
      source.lane.batch({ round: 2, region, runs: [zero(0, 1)] })
    }),
  },
  { name: 'post-copy/repaired', clauses: ['C6.40'], play: repaired },
  { name: 'post-copy/final', clauses: ['C6.112'], play: finalAfter },
]
