/**
 * Cases for a destination: post-copy that loses its network, and goes on.
 *
 * @module
 */
import type { ErrorCode, PageRun } from '@godwit/core'
import { FrameType } from '@godwit/wire'
import { encodeBatch, raw } from '../batch.ts'
import type { Case } from '../case.ts'
import { sample } from '../case.ts'
import { check, checkEqual, Failure, Skip } from '../failure.ts'
import { FIRST_REGION, SECOND_REGION } from '../guest-memory.ts'
import type { RawChannel } from '../raw-channel.ts'
import type { DestinationContext, ScriptedSource } from '../scripted-source.ts'
import { postCopySource } from './post-copy.ts'
import { controlFrames } from './states.ts'

type C = Case<DestinationContext>

const region = FIRST_REGION
const quietMs = 100
/** For a guest that may touch no page at all. */
const touchMs = 1000

/** RUNNING was heard, every page is lacking, and the network is gone. */
async function lost(context: DestinationContext): Promise<ScriptedSource> {
  const source = await postCopySource(context, { verify: 'fingerprints' })
  await source.open()
  await source.handOverOpened(source.everything)
  await mendable(source)
  return source
}

/** Cuts, once it is known that this destination waits for its source: it need not. */
async function mendable(source: ScriptedSource): Promise<void> {
  source.cut()
  source.epoch++
  const channel = source.dial(1)
  channel.send('Resume', { epoch: source.epoch, round: 0xffff })
  const event = await source.exchange.find(
    ({ channel: from, heard }) => from === channel && heard.kind === 'message',
  )
  const heard = event?.heard
  if (heard?.kind !== 'message' || heard.message.name !== 'Error') {
    throw new Failure('C6.58', 'ERROR PROTOCOL_STATE', 'something else')
  }
  if (heard.message.body.code === 85) throw new Skip('this destination does not recover')
  checkEqual('C6.58', heard.message.body.code, 82)
  await source.exchange.closed(channel, 'C8.1')
}

function count(lacking: ReadonlyMap<number, readonly PageRun[]>): number {
  return [...lacking.values()].flat().reduce((sum, run) => sum + run.pageCount, 0)
}

/** Everything that is named, on the first channel, and the end of the round. */
async function fill(
  source: ScriptedSource,
  round: number,
  lacking: ReadonlyMap<number, readonly PageRun[]>,
): Promise<void> {
  source.begin(round, 'post-copy', count(lacking))
  for (const [id, runs] of lacking) {
    for (const { firstPage, pageCount } of runs) {
      for (let page = firstPage; page < firstPage + pageCount; page++) {
        const run = raw(page, source.memory.page(id, page))
        source.lane.batch({ round, region: id, runs: [run] })
      }
    }
  }
  source.finish(round)
  await source.acknowledged(round, 'C6.65')
}

async function played(context: DestinationContext): Promise<void> {
  const source = await lost(context)
  const { lacking, resumed } = await source.resume(1)
  checkEqual('C6.60', count(lacking), source.memory.pages)
  checkEqual('C4.34', resumed.pages, source.memory.pages)
  await source.openChannels()
  await fill(source, resumed.round, lacking)
  await source.conclude(resumed.round)
}

/** What was installed before the loss is not lacking; half a batch counts for nothing. */
async function half(context: DestinationContext): Promise<void> {
  const source = await postCopySource(context, { verify: 'fingerprints' })
  await source.open()
  await source.handOverOpened(source.everything)
  source.begin(1, 'post-copy')
  const { memory, lane } = source
  lane.batch({ round: 1, region, runs: [raw(2, memory.page(region, 2))] })
  const runs = [raw(0, memory.page(region, 0), memory.page(region, 1))]
  const { body } = encodeBatch(source.hashes, { round: 1, region, runs })
  const bytes = lane.channel.encode(FrameType.Pages, body)
  lane.channel.raw(bytes.subarray(0, bytes.length - 100), 'a batch without its last 100 bytes')
  await creditFor(source, lane.sentBytes)
  await mendable(source)
  const { lacking, resumed } = await source.resume(1)
  checkEqual('C6.60', lacking.get(region), [
    { firstPage: 0, pageCount: 2 },
    { firstPage: 3, pageCount: 1 },
  ])
  await source.openChannels()
  await fill(source, resumed.round, lacking)
  await source.conclude(resumed.round)
}

/** Resolves when so much was installed; where there is no credit nobody can tell. */
async function creditFor(source: ScriptedSource, bytes: number): Promise<void> {
  if (source.welcome.creditBytes === undefined) throw new Skip('there is no credit')
  for (;;) {
    const heard = await source.exchange.next(source.lane.channel, 'C6.86', 'CREDIT')
    const isCredit = heard.kind === 'message' && heard.message.name === 'Credit'
    if (isCredit && heard.message.body.bytes === bytes) return
  }
}

async function twice(context: DestinationContext): Promise<void> {
  const source = await lost(context)
  const first = await source.resume(1)
  source.cut()
  const second = await source.resume(1)
  const round = first.resumed.round
  check('C6.64', second.resumed.round > round, `a round above ${round}`, second.resumed.round)
  source.cut()
  const third = await source.resume(second.resumed.round)
  await source.openChannels()
  await fill(source, third.resumed.round, third.lacking)
  await source.conclude(third.resumed.round)
}

/** ROUND_ACK may not have been heard: the round is empty then. */
async function complete(context: DestinationContext): Promise<void> {
  const source = await lost(context)
  const { lacking, resumed } = await source.resume(1)
  await source.openChannels()
  await fill(source, resumed.round, lacking)
  source.cut()
  const again = await source.resume(resumed.round)
  checkEqual('C6.74', again.lacking.size, 0)
  checkEqual('C6.74', again.resumed.pages, 0)
  await source.openChannels()
  await fill(source, again.resumed.round, again.lacking)
  await source.conclude(again.resumed.round)
}

/** One channel is refused, and the session goes on. */
async function refusedChannel(
  source: ScriptedSource,
  role: 1 | 2,
  epoch: number,
  clause: string,
  code: ErrorCode,
): Promise<void> {
  const channel = source.dial(role, 0, epoch)
  await source.exchange.introduced(channel, 'C2.4')
  await source.exchange.refused([channel], [code], clause)
}

async function epochs(context: DestinationContext): Promise<void> {
  const source = await lost(context)
  source.epoch += 5
  const { lacking, resumed } = await source.resume(1)
  const { epoch } = source
  await refusedChannel(source, 1, 0, 'C2.10', 'EPOCH_STALE')
  await refusedChannel(source, 1, epoch - 1, 'C2.10', 'EPOCH_STALE')
  await refusedChannel(source, 2, epoch - 1, 'C2.10', 'EPOCH_STALE')
  await refusedChannel(source, 1, epoch, 'C2.11', 'PROTOCOL_STATE')
  await refusedChannel(source, 2, epoch + 1, 'C2.11', 'PROTOCOL_STATE')
  await source.openChannels()
  await fill(source, resumed.round, lacking)
  await source.conclude(resumed.round)
}

/** A new control channel takes the place of one that nobody has missed yet. */
async function replaced(context: DestinationContext): Promise<void> {
  const source = await lost(context)
  await source.resume(1)
  const { control } = source
  const { lacking, resumed } = await source.resume(1)
  const event = await source.exchange.find(({ channel }) => channel === control)
  if (event === undefined) throw new Failure('C6.54', 'the end of the first connection', 'nothing')
  await source.openChannels()
  await fill(source, resumed.round, lacking)
  await source.conclude(resumed.round)
}

/** A failure in a recovery leads back to the pause. */
function wrongResume(
  clause: string,
  code: ErrorCode,
  send: (one: RawChannel, epoch: number) => void,
) {
  return async (context: DestinationContext): Promise<void> => {
    const source = await lost(context)
    source.epoch++
    source.control = source.dial(1)
    send(source.control, source.epoch)
    await source.refused(clause, code)
    const { lacking, resumed } = await source.resume(1)
    await source.openChannels()
    await fill(source, resumed.round, lacking)
    await source.conclude(resumed.round)
  }
}

/** RESUME comes first, whatever the destination has to tell. */
async function silent(context: DestinationContext): Promise<void> {
  const source = await lost(context)
  source.epoch++
  source.control = source.dial(1)
  const event = await source.exchange.find(({ channel, heard }) => {
    return channel === source.control && heard.kind !== 'preface'
  }, quietMs)
  check('C6.51', event === undefined, 'nothing before RESUME', event?.heard)
}

/** A thread that waits has not forgotten for what. */
async function askedAgain(context: DestinationContext): Promise<void> {
  const source = await postCopySource(context)
  await source.open()
  await source.handOverOpened(source.everything)
  const before = await asked(source)
  if (before === undefined) throw new Skip('the guest touched no page that it lacked')
  await mendable(source)
  const { resumed } = await source.resume(1)
  await source.openChannels()
  source.begin(resumed.round, 'post-copy', resumed.pages)
  checkEqual('C6.73', await asked(source), before)
}

async function asked(source: ScriptedSource): Promise<object | undefined> {
  const { channel } = source.urgent!
  const event = await source.exchange.find(({ channel: from, heard }) => {
    return from === channel && heard.kind === 'message'
  }, touchMs)
  return event?.heard.kind === 'message' ? event.heard.message.body : undefined
}

/** These may come there: what is done with a question that was not agreed on is left open. */
const first: readonly string[] = ['Resume', 'OwnerQuery']

/** Where RESUME is to come nothing else may; after each, another attempt is free. */
async function resuming(context: DestinationContext): Promise<void> {
  const source = await lost(context)
  const wrong = controlFrames.filter(({ name }) => !first.includes(name))
  for (const { name, body } of sample(wrong, context.every)) {
    source.epoch++
    source.control = source.dial(1)
    source.control.send(name, body)
    await source.exchange.introduced(source.control, 'C2.3')
    await source.exchange.refused([source.control], ['PROTOCOL_STATE'], 'C3.14')
  }
  const { lacking, resumed } = await source.resume(1)
  await source.openChannels()
  await fill(source, resumed.round, lacking)
  await source.conclude(resumed.round)
}

async function tooSoon(context: DestinationContext): Promise<void> {
  const source = await postCopySource(context)
  await source.open()
  const preface = { role: 1, index: 0, epoch: 1, session: source.id } as const
  const channel = source.connect(1).preface(preface)
  await source.exchange.introduced(channel, 'C2.4')
  await source.exchange.refused([channel], ['PROTOCOL_STATE', 'SESSION_UNKNOWN'], 'C6.55')
  await source.handOverOpened(source.everything)
}

async function givenUp(context: DestinationContext): Promise<void> {
  const source = await lost(context)
  await source.resume(1)
  source.control.send('Error', { code: 2, text: 'given up' })
  await source.exchange.closed(source.control, 'C6.48')
  source.epoch++
  const channel = source.dial(1, 0, source.epoch)
  await source.exchange.introduced(channel, 'C2.4')
  // A destination that knows the session may wait to hear what is asked.
  channel.send('Resume', { epoch: source.epoch, round: 2 })
  await source.exchange.refused([channel], ['SESSION_UNKNOWN'], 'C6.56')
}

/** A page that the set does not name is there already. */
async function again(context: DestinationContext): Promise<void> {
  const source = await lost(context)
  const { lacking, resumed } = await source.resume(1)
  await source.openChannels()
  await fill(source, resumed.round, lacking)
  source.cut()
  const second = await source.resume(resumed.round)
  await source.openChannels()
  const { round } = second.resumed
  source.begin(round, 'post-copy', 0)
  const runs = [raw(0, source.memory.page(SECOND_REGION, 0))]
  source.lane.batch({ round, region: SECOND_REGION, runs })
  await source.refused('C6.30', 'PROTOCOL_STATE')
}

const resume = (epochAhead: number, round: number) => (one: RawChannel, epoch: number) => {
  one.send('Resume', { epoch: epoch + epochAhead, round })
}

export const recoveryCases: readonly C[] = [
  {
    name: 'recovery/played',
    clauses: [
      'C10.5',
      'C6.58',
      'C6.59',
      'C6.60',
      'C6.61',
      'C6.63',
      'C6.65',
      'C6.72',
      'C4.33',
      'C4.34',
    ],
    play: played,
  },
  { name: 'recovery/half', clauses: ['C6.60', 'C6.61', 'C7.7'], play: half },
  { name: 'recovery/twice', clauses: ['C6.64', 'C6.43', 'C6.47'], play: twice },
  { name: 'recovery/complete', clauses: ['C6.46', 'C6.74'], play: complete },
  { name: 'recovery/epochs', clauses: ['C2.10', 'C2.11', 'C2.9'], play: epochs },
  { name: 'recovery/replaced', clauses: ['C6.54', 'C6.44'], play: replaced },
  {
    name: 'recovery/round',
    clauses: ['C6.58', 'C6.47', 'C4.32'],
    play: wrongResume('C6.58', 'PROTOCOL_STATE', resume(0, 999)),
  },
  {
    name: 'recovery/epoch-of-resume',
    clauses: ['C4.18', 'C6.47'],
    play: wrongResume('C4.18', 'PROTOCOL_STATE', resume(1, 1)),
  },
  {
    name: 'recovery/hello',
    clauses: ['C6.49', 'C3.14'],
    play: wrongResume('C6.49', 'PROTOCOL_STATE', (one) =>
      one.send('State', { package: new Uint8Array(1) }),
    ),
  },
  { name: 'recovery/silent', clauses: ['C6.51'], play: silent },
  { name: 'recovery/asked-again', clauses: ['C6.73'], play: askedAgain },
  { name: 'recovery/resuming', clauses: ['C3.14', 'C6.47', 'C6.49'], play: resuming },
  { name: 'recovery/too-soon', clauses: ['C6.55'], play: tooSoon },
  { name: 'recovery/given-up', clauses: ['C6.48', 'C6.56', 'C7.9'], play: givenUp },
  { name: 'recovery/again', clauses: ['C6.30', 'C6.71'], play: again },
]
