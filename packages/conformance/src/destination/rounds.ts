/**
 * Cases for a destination: rounds, their totals, the hand-over and the end.
 *
 * @module
 */
import type { RoundEnd } from '@godwit/wire'
import { errorNumbers } from '@godwit/wire'
import { raw, zero } from '../batch.ts'
import type { Case } from '../case.ts'
import { check, checkEqual, Failure, Skip } from '../failure.ts'
import { FIRST_REGION, SECOND_REGION } from '../guest-memory.ts'
import { verifyHashes } from '../hashes.ts'
import { RoundLane } from '../round-lane.ts'
import type { DestinationContext, ScriptedSource } from '../scripted-source.ts'

type C = Case<DestinationContext>

const region = FIRST_REGION
/** Something that is not to come did not. */
const quietMs = 100

async function handOver(source: ScriptedSource, rounds: number): Promise<void> {
  source.sendState()
  await source.ready()
  await source.commit()
  await source.conclude(rounds)
}

/** Four rounds over as many channels as there are: every page, some, none, the last ones. */
async function preCopy(context: DestinationContext): Promise<void> {
  const source = context.source({ verify: 'fingerprints', dataChannels: 2 })
  await source.open()
  const { memory, lanes } = source
  await source.full()
  for (const round of [2, 3]) {
    source.begin(round, 'dirty', lanes.length)
    lanes.forEach((lane, index) => {
      memory.write(SECOND_REGION, index, 10 * round + index)
      const run = raw(index, memory.page(SECOND_REGION, index))
      if (round === 2) lane.batch({ round, region: SECOND_REGION, runs: [run] })
      else memory.write(SECOND_REGION, index, 20 + index)
    })
    source.finish(round)
    await source.acknowledged(round)
  }
  await source.switchOver(3)
  source.begin(4, 'final', 1)
  memory.page(region, 3).fill(0)
  lanes.at(-1)!.batch({ round: 4, region, runs: [zero(3, 1)] })
  source.finish(4)
  await source.acknowledged(4)
  await handOver(source, 4)
}

/** The conversation that section 10 begins with; the guest has the suite's regions. */
async function minimal(context: DestinationContext): Promise<void> {
  const source = await context.source({ mode: 'stop-copy' }).open()
  const { memory, lane } = source
  await source.switchOver(0)
  source.begin(1, 'final')
  for (const { id } of memory.regions) {
    lane.batch({ round: 1, region: id, runs: [zero(0, memory.pageCount(id))] })
  }
  source.finish(1)
  source.sendState()
  await source.acknowledged(1, 'C6.19')
  await source.ready('C6.19')
  await source.commit()
  await source.conclude(1)
}

async function silent(source: ScriptedSource, clause: string, expected: string): Promise<void> {
  const early = await source.exchange.find(({ channel, heard }) => {
    return channel === source.control && heard.kind !== 'preface'
  }, quietMs)
  if (early !== undefined) throw new Failure(clause, expected, JSON.stringify(early.heard))
}

/** ROUND_ACK, and what STATE leads to, wait for the last BARRIER. */
async function acknowledgement(context: DestinationContext): Promise<void> {
  const source = await context.source({ mode: 'stop-copy' }).open()
  await source.switchOver(0)
  source.memory.fill()
  source.begin(1, 'final')
  source.sendAll(1)
  source.roundEnd(1)
  source.sendState()
  await silent(source, 'C6.15', 'ROUND_ACK after BARRIER')
  source.barriers(1)
  await source.acknowledged(1)
  await source.ready('C6.19')
}

async function noReady(context: DestinationContext): Promise<void> {
  const source = await context.source({ mode: 'stop-copy' }).open()
  await source.lastRound(0)
  await silent(source, 'C6.19', 'READY after STATE')
  source.sendState()
  await source.ready()
  await silent(source, 'C7.4', 'RUNNING after COMMIT')
  await source.commit()
}

/** A batch of the next round, before its ROUND_BEGIN. */
async function early(context: DestinationContext): Promise<void> {
  const source = await (await context.source({ verify: 'fingerprints' }).open()).full()
  const { memory, lane } = source
  memory.write(region, 0, 60)
  lane.batch({ round: 2, region, runs: [raw(0, memory.page(region, 0))] })
  lane.barrier(2)
  await silent(source, 'C6.17', 'nothing before ROUND_BEGIN')
  source.begin(2, 'dirty', 1)
  source.roundEnd(2)
  await source.acknowledged(2, 'C6.17')
  await source.lastRound(2)
  await handOver(source, 3)
}

const wrongTotals: readonly Partial<RoundEnd>[] = [
  { batches: 1 },
  { pages: 1 },
  { digest: new Uint8Array(8).fill(1) },
]

async function totals(context: DestinationContext): Promise<void> {
  for (const where of ['Barrier', 'RoundEnd'] as const) {
    for (const wrong of wrongTotals) {
      const source = await context.source().open()
      source.memory.fill()
      source.begin(1, 'full')
      source.sendAll(1)
      const right = { round: 1, ...RoundLane.totals([source.lane]) }
      source.lane.channel.send('Barrier', where === 'Barrier' ? { ...right, ...wrong } : right)
      source.control.send('RoundEnd', where === 'RoundEnd' ? { ...right, ...wrong } : right)
      await source.refused('C6.15', 'PROTOCOL_TOTALS')
      await source.end()
    }
  }
}

async function differs(context: DestinationContext): Promise<void> {
  const source = await context.source({ mode: 'stop-copy', verify: 'fingerprints' }).arrive()
  const { memory, control, exchange } = source
  const own = memory.digest(verifyHashes(source.hello))
  memory.write(SECOND_REGION, 8, 1)
  const wrong = memory.digest(verifyHashes(source.hello))
  control.send('Verify', wrong)
  const event = await exchange.find(({ channel, heard }) => {
    return channel === control && heard.kind === 'message' && heard.message.name === 'Verified'
  })
  if (event?.heard.kind !== 'message') throw new Failure('C6.108', 'VERIFIED', 'nothing')
  const expected = { equal: false, digest: own.digest, differing: [SECOND_REGION] }
  checkEqual('C6.108', event.heard.message.body, expected)
}

async function final(context: DestinationContext): Promise<void> {
  const source = context.source({ mode: 'stop-copy', optional: ['final'], verify: 'fingerprints' })
  await source.arrive()
  if (source.welcome.finalAfterMs === undefined) throw new Skip('FINAL is not announced')
  await source.conclude(1)
}

async function cancelled(context: DestinationContext): Promise<void> {
  const source = await (await context.source().open()).full()
  source.begin(2, 'dirty', 1)
  const text = 'The migration was cancelled'
  source.control.send('Error', { code: errorNumbers.CANCELLED, text })
  await source.exchange.closed(source.control, 'C8.4')
  await (await context.source().open()).full()
}

async function unknownError(context: DestinationContext): Promise<void> {
  const source = await context.source().open()
  source.control.send('Error', { code: 60_000, text: 'later' })
  await source.exchange.closed(source.control, 'C8.2')
}

/** Before COMMIT a loss leaves nothing behind: the next session has all the room there is. */
async function forgotten(context: DestinationContext): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const source = await (await context.source().open()).full()
    source.cut()
  }
  await (await context.source().open()).full()
}

/** More than a quarter of the window. */
async function credit(context: DestinationContext): Promise<void> {
  const source = context.source()
  source.wholePages = [2048, 8]
  await source.open()
  const { creditBytes } = source.welcome
  if (creditBytes === undefined) throw new Skip('there is no credit')
  const { lane, memory, exchange } = source
  source.begin(1, 'full')
  const pages = 64
  for (let page = 0; page < 2048 && lane.sentBytes < creditBytes; page += pages) {
    const content = Array.from({ length: pages }, (_, index) => memory.page(region, page + index))
    lane.batch({ round: 1, region, runs: [raw(page, ...content)] })
    if (lane.sentBytes > creditBytes / 4 + pages * memory.pageBytes * 2) break
  }
  const heard = await exchange.next(lane.channel, 'C6.86', 'CREDIT')
  if (heard.kind !== 'message' || heard.message.name !== 'Credit') {
    throw new Failure('C6.86', 'CREDIT', heard.kind)
  }
  const { bytes } = heard.message.body
  check('C4.29', bytes > 0 && bytes <= lane.sentBytes, `at most ${lane.sentBytes}`, bytes)
}

export const roundCases: readonly C[] = [
  {
    name: 'rounds/minimal',
    clauses: [
      'C10.1',
      'C6.6',
      'C6.19',
      'C6.109',
      'C6.114',
      'C4.24',
      'C4.36',
      'C4.38',
      'C4.39',
      'C4.44',
    ],
    play: minimal,
  },
  {
    name: 'rounds/pre-copy',
    clauses: ['C6.1', 'C6.13', 'C6.14', 'C6.15', 'C6.106', 'C6.107', 'C4.28'],
    play: preCopy,
  },
  { name: 'rounds/acknowledgement', clauses: ['C6.15', 'C6.19'], play: acknowledgement },
  { name: 'rounds/ready', clauses: ['C6.19', 'C7.4'], play: noReady },
  { name: 'rounds/early', clauses: ['C6.17'], play: early },
  { name: 'rounds/totals', clauses: ['C6.15', 'C4.26', 'C4.27'], play: totals },
  { name: 'rounds/differs', clauses: ['C6.108', 'C4.41'], play: differs },
  { name: 'rounds/final', clauses: ['C4.42', 'C4.55', 'C6.110', 'C6.111', 'C6.113'], play: final },
  { name: 'rounds/cancelled', clauses: ['C8.3', 'C8.4', 'C10.6', 'C7.12'], play: cancelled },
  { name: 'rounds/unknown-error', clauses: ['C8.2'], play: unknownError },
  { name: 'rounds/forgotten', clauses: ['C7.12'], play: forgotten },
  { name: 'rounds/credit', clauses: ['C4.29', 'C6.86'], play: credit },
]
