/**
 * Cases for a destination: checkpoints that come back while pages follow.
 *
 * @module
 */
import type { CheckpointEnd } from '@godwit/wire'
import { ChannelRole } from '@godwit/wire'
import { BatchReader } from '../batch-reader.ts'
import type { Case } from '../case.ts'
import { check, checkEqual, Failure, Skip } from '../failure.ts'
import { raw } from '../batch.ts'
import { FIRST_REGION } from '../guest-memory.ts'
import type { RawChannel } from '../raw-channel.ts'
import type { DestinationContext, ScriptedSource } from '../scripted-source.ts'

type C = Case<DestinationContext>

const checkpointMs = 20
const begunMs = 1000
const quietMs = 50

/** A guest that runs, and lacks one page that it does not touch. */
async function begun(context: DestinationContext): Promise<[ScriptedSource, RawChannel]> {
  const probe = await context.source({ optional: ['post-copy', 'reverse'] }).greet()
  probe.need('post-copy', 'reverse')
  await probe.end()
  const terms = { mode: 'post-copy', required: ['post-copy', 'reverse'], checkpointMs } as const
  const source = await context.source(terms).open()
  const reverse = source.dial(ChannelRole.Reverse)
  await source.exchange.introduced(reverse, 'C2.15')
  await source.handOverOpened([[FIRST_REGION, { firstPage: 0, pageCount: 1 }]])
  return [source, reverse]
}

/** One checkpoint, up to its end; pages are held against its totals. */
async function checkpoint(
  source: ScriptedSource,
  reverse: RawChannel,
): Promise<CheckpointEnd | undefined> {
  const { exchange, memory, hashes } = source
  const event = await exchange.find(({ channel }) => channel === reverse, begunMs)
  if (event === undefined) return undefined
  if (event.heard.kind !== 'message' || event.heard.message.name !== 'CheckpointBegin') {
    throw new Failure('C6.76', 'CHECKPOINT_BEGIN', event.heard.kind)
  }
  const begin = event.heard.message.body
  const regions = new Map(memory.regions.map(({ id, bytes }) => [id, bytes.slice()]))
  const reading = { pageBytes: memory.pageBytes, hashes, capabilities: [], regions }
  const reader = new BatchReader(reading)
  const seen = new Set<string>()
  let [batches, digest] = [0, 0n]
  for (;;) {
    const heard = await exchange.next(reverse, 'C6.80', 'PAGES or CHECKPOINT_END')
    if (heard.kind === 'pages') {
      const read = reader.read(heard.body, begin.number)
      for (const { region, page } of read.pages) {
        check('C6.79', !seen.has(`${region}:${page}`), 'each page once', { region, page })
        seen.add(`${region}:${page}`)
      }
      batches++
      digest += read.digest
    } else if (heard.kind === 'message' && heard.message.name === 'CheckpointEnd') {
      const end = heard.message.body
      const told = new DataView(end.digest.buffer, end.digest.byteOffset).getBigUint64(0, true)
      checkEqual('C6.80', [end.batches, end.pages], [batches, seen.size])
      checkEqual('C6.80', told, BigInt.asUintN(64, digest))
      checkEqual('C4.47', end.number, begin.number)
      return end
    } else throw new Failure('C6.80', 'PAGES or CHECKPOINT_END', heard.kind)
  }
}

async function played(context: DestinationContext): Promise<void> {
  const [source, reverse] = await begun(context)
  const first = await checkpoint(source, reverse)
  if (first === undefined) throw new Skip('no checkpoint came in time')
  const early = await source.exchange.find(({ channel }) => channel === reverse, quietMs)
  check('C6.81', early === undefined, 'the next one after CHECKPOINT_ACK', early?.heard)
  reverse.send('CheckpointAck', { number: first.number })
  const second = await checkpoint(source, reverse)
  // The guest's time may be over by then.
  const number = second?.number ?? Infinity
  check('C6.77', number > first.number, `above ${first.number}`, number)
  source.begin(1, 'post-copy', 1)
  const run = raw(0, source.memory.page(FIRST_REGION, 0))
  source.lane.batch({ round: 1, region: FIRST_REGION, runs: [run] })
  source.finish(1)
  await source.acknowledged(1)
  await source.conclude(1)
}

async function outOfTurn(context: DestinationContext): Promise<void> {
  const [source, reverse] = await begun(context)
  reverse.send('CheckpointAck', { number: 9 })
  await source.refused('C6.81', 'PROTOCOL_STATE')
}

export const reverseCases: readonly C[] = [
  {
    name: 'reverse/played',
    clauses: [
      'C2.15',
      'C4.46',
      'C4.47',
      'C4.57',
      'C6.76',
      'C6.77',
      'C6.78',
      'C6.79',
      'C6.80',
      'C6.81',
    ],
    play: played,
  },
  { name: 'reverse/out-of-turn', clauses: ['C6.81'], play: outOfTurn },
]
