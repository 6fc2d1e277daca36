/**
 * Cases for a destination: content that is not there, NAK and repairs.
 *
 * @module
 */
import type { Nak } from '@godwit/wire'
import { decodePageRuns } from '@godwit/wire'
import type { BatchParts } from '../batch.ts'
import { raw, zero } from '../batch.ts'
import type { Case } from '../case.ts'
import { checkEqual, Failure, Skip } from '../failure.ts'
import { FIRST_REGION } from '../guest-memory.ts'
import * as rich from '../rich-runs.ts'
import type { RawChannel } from '../raw-channel.ts'
import type { DestinationContext, ScriptedSource } from '../scripted-source.ts'

type C = Case<DestinationContext>

const region = FIRST_REGION
const wrongCheck = 0x12345678
const creditMs = 200

async function begun(context: DestinationContext, lanes = 1): Promise<ScriptedSource> {
  const terms = { optional: ['references', 'delta'], verify: 'fingerprints' } as const
  const source = await context.source({ ...terms, dataChannels: lanes }).open()
  source.need('references')
  await source.full()
  source.begin(2, 'dirty', 2)
  return source
}

/** The next on a data channel, credit aside. */
async function nak(source: ScriptedSource, channel: RawChannel, clause: string): Promise<Nak> {
  const event = await source.exchange.find(({ channel: from, heard }) => {
    if (from !== channel) return false
    return heard.kind !== 'message' || heard.message.name !== 'Credit'
  })
  const heard = event?.heard
  if (heard?.kind === 'message' && heard.message.name === 'Nak') return heard.message.body
  throw new Failure(clause, 'NAK', heard === undefined ? 'nothing' : JSON.stringify(heard))
}

/** A batch that lacks content, with a zero page and a keep beside it. */
function lacking(source: ScriptedSource, page: number): BatchParts {
  const content = source.memory.page(region, page)
  const same = rich.sameAs(page, { region, page: 0 }, wrongCheck, content)
  return { round: 2, region, runs: [rich.keep(3, 0), same, zero(2, 1)] }
}

async function repaired(context: DestinationContext): Promise<void> {
  const source = await begun(context)
  const { memory, lane } = source
  memory.write(region, 1, 88)
  memory.page(region, 2).fill(0)
  lane.batch(lacking(source, 1))
  source.finish(2)
  const asked = await nak(source, lane.channel, 'C5.42')
  checkEqual('C6.91', { round: asked.round, region: asked.region }, { round: 2, region })
  const runs = decodePageRuns(asked.runs)
  const wanted = [
    { firstPage: 1, pageCount: 1 },
    { firstPage: 2, pageCount: 1 },
  ]
  checkEqual('C6.91', runs, wanted)
  const early = await source.exchange.find(({ channel, heard }) => {
    return channel === source.control && heard.kind === 'message'
  }, 100)
  if (early !== undefined) throw new Failure('C6.95', 'ROUND_ACK after the repairs', 'it came')
  lane.repair({ round: 2, region, runs: [zero(2, 1)] })
  lane.repair({ round: 2, region, runs: [raw(1, memory.page(region, 1))] })
  await source.acknowledged(2, 'C6.94')
  // The keep of the batch was not carried out: its slot is as empty as before.
  source.begin(3, 'dirty', 1)
  const page = memory.page(region, 3)
  const code = rich.checkOf(source.hashes, page)
  lane.batch({ round: 3, region, runs: [rich.reference(1, 0, code, page)] })
  await nak(source, lane.channel, 'C6.98')
  memory.page(region, 1).set(page)
  source.finish(3)
  lane.repair({ round: 3, region, runs: [raw(1, page)] })
  await source.acknowledged(3)
  if (source.welcome.creditBytes !== undefined) await credited(source)
  await source.lastRound(3)
  source.sendState()
  await source.ready()
  await source.commit()
  await source.conclude(4)
}

/** What was answered with NAK counts as installed, and so do repairs. */
async function credited(source: ScriptedSource): Promise<void> {
  const { channel, sentBytes } = source.lane
  const event = await source.exchange.find(({ channel: from, heard }) => {
    if (from !== channel || heard.kind !== 'message') return false
    return heard.message.name === 'Credit' && heard.message.body.bytes === sentBytes
  }, creditMs)
  // It may come later, once there is more of it.
  const few = source.welcome.creditBytes! / 4
  if (event === undefined && sentBytes > few) throw new Failure('C6.90', 'CREDIT', 'nothing')
}

/** Behind BARRIER only what was asked for may come. */
function badRepair(clause: string, change: (source: ScriptedSource) => BatchParts): C['play'] {
  return async (context) => {
    const source = await begun(context)
    source.lane.batch(lacking(source, 1))
    source.finish(2)
    await nak(source, source.lane.channel, 'C5.42')
    source.lane.repair(change(source))
    await source.refused(clause, 'PROTOCOL_STATE')
  }
}

async function digestOfRepair(context: DestinationContext): Promise<void> {
  const source = await begun(context)
  source.lane.batch(lacking(source, 1))
  source.finish(2)
  await nak(source, source.lane.channel, 'C5.42')
  const runs = [raw(1, source.memory.page(region, 1))]
  source.lane.repair({ round: 2, region, runs, digest: 1n })
  await source.refused('C6.94', 'CODEC_DIGEST')
}

/** What one channel keeps is not to be had on another. */
async function ownStore(context: DestinationContext): Promise<void> {
  const source = await begun(context, 2)
  const [one, other] = source.lanes
  if (other === undefined) throw new Skip('there is one data channel')
  const page = source.memory.page(region, 0)
  const code = rich.checkOf(source.hashes, page)
  one!.batch({ round: 2, region, runs: [rich.keep(0, 0)] })
  other.batch({ round: 2, region, runs: [rich.reference(1, 0, code, page)] })
  await nak(source, other.channel, 'C5.24')
}

/** ... nor in another session. */
async function otherSession(context: DestinationContext): Promise<void> {
  const [one, other] = [await begun(context), await begun(context)]
  const page = one.memory.page(region, 0)
  const code = rich.checkOf(other.hashes, page)
  one.lane.batch({ round: 2, region, runs: [rich.keep(0, 0)] })
  one.finish(2)
  await one.acknowledged(2)
  other.lane.batch({ round: 2, region, runs: [rich.reference(1, 0, code, page)] })
  await nak(other, other.lane.channel, 'C9.9')
}

async function twice(context: DestinationContext): Promise<void> {
  const source = await begun(context)
  source.lane.batch(lacking(source, 1))
  await nak(source, source.lane.channel, 'C5.42')
  source.lane.batch(lacking(source, 1))
  await source.refused('C6.103', 'PROTOCOL_STATE')
}

const other: C['play'] = badRepair('C6.96', (source) => {
  return { round: 2, region, runs: [raw(0, source.memory.page(region, 0))] }
})
const encoded: C['play'] = badRepair('C6.96', (source) => {
  const page = source.memory.page(region, 1)
  return { round: 2, region, runs: [rich.sameAs(1, { region, page: 0 }, wrongCheck, page)] }
})

export const nakCases: readonly C[] = [
  {
    name: 'naks/repaired',
    clauses: [
      'C10.3',
      'C5.42',
      'C5.43',
      'C6.91',
      'C6.92',
      'C6.94',
      'C6.95',
      'C6.98',
      'C6.90',
      'C4.30',
    ],
    play: repaired,
  },
  { name: 'naks/another-page', clauses: ['C6.96'], play: other },
  { name: 'naks/another-encoding', clauses: ['C6.96', 'C6.97'], play: encoded },
  { name: 'naks/digest', clauses: ['C6.94'], play: digestOfRepair },
  { name: 'naks/own-store', clauses: ['C5.24'], play: ownStore },
  { name: 'naks/other-session', clauses: ['C9.9'], play: otherSession },
  { name: 'naks/twice', clauses: ['C6.103'], play: twice },
]
