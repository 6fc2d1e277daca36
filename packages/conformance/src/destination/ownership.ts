/**
 * Cases for a destination: a source that was lost after READY asks whose the guest is.
 *
 * @module
 */
import type { PageRun } from '@godwit/core'
import type { Hello } from '@godwit/wire'
import { errorNumbers } from '@godwit/wire'
import { raw } from '../batch.ts'
import type { Case } from '../case.ts'
import { sample } from '../case.ts'
import { check, checkEqual, Failure, Skip } from '../failure.ts'
import type { DestinationContext, ScriptedSource } from '../scripted-source.ts'
import { postCopySource } from './post-copy.ts'
import { controlFrames } from './states.ts'

type C = Case<DestinationContext>

const asking: Partial<Hello> = { optional: ['ownership'], verify: 'fingerprints' }

/** READY was heard, every page is there, and COMMIT is not sent. */
async function prepared(context: DestinationContext): Promise<ScriptedSource> {
  const source = await context.source(asking).open()
  source.need('ownership')
  await source.lastRound(await source.firstRound())
  source.sendState()
  await source.ready()
  return source
}

/** The same of post-copy, with every page still to come. */
async function preparedPostCopy(context: DestinationContext): Promise<ScriptedSource> {
  const source = await postCopySource(context, asking)
  await source.open()
  source.need('ownership')
  source.memory.fill()
  await source.switchOver(0, true)
  source.discard(source.everything)
  source.sendState()
  await source.ready('C6.26')
  return source
}

/** @throws {Skip} the destination does not wait for who may come back: it need not */
async function askPrepared(source: ScriptedSource): Promise<void> {
  const owner = await source.ask()
  if (owner === 'refused')
    throw new Skip('this destination does not keep a guest without its source')
  checkEqual('C7.15', owner, 'prepared')
}

/** COMMIT arrives, and whatever is said of it does not. */
async function releaseUnheard(source: ScriptedSource): Promise<void> {
  const { control, exchange } = source
  source.release()
  control.end()
  const ended = await exchange.find(({ channel, heard }) => {
    return channel === control && heard.kind === 'end'
  })
  if (ended === undefined) throw new Failure('C7.19', 'the end of the stream', 'nothing')
  source.cut()
}

async function asked(context: DestinationContext): Promise<void> {
  const source = await prepared(context)
  source.cut()
  await askPrepared(source)
  await source.commit()
  await source.conclude(2)
}

async function twice(context: DestinationContext): Promise<void> {
  const source = await prepared(context)
  source.cut()
  await askPrepared(source)
  source.cut()
  checkEqual('C7.14', await source.ask(), 'prepared')
  await source.commit()
  await source.conclude(2)
}

/** A guest may have run and be gone again before anybody asks. */
async function running(context: DestinationContext): Promise<void> {
  const source = await prepared(context)
  await releaseUnheard(source)
  const owner = await source.ask()
  check('C7.19', owner === 'running' || owner === 'ended', 'running or ended', owner)
}

/** Everything that is lacking follows, on a connection that has its control channel. */
async function fill(source: ScriptedSource): Promise<void> {
  const { lacking, resumed } = await source.resumeHere(1)
  checkEqual('C6.60', resumed.pages, source.memory.pages)
  await source.openChannels()
  const { round, pages } = resumed
  source.begin(round, 'post-copy', pages)
  for (const [id, runs] of lacking) for (const run of runs) push(source, round, id, run)
  source.finish(round)
  await source.acknowledged(round, 'C6.65')
  await source.conclude(round)
}

function push(source: ScriptedSource, round: number, region: number, run: PageRun): void {
  for (let page = run.firstPage; page < run.firstPage + run.pageCount; page++) {
    source.lane.batch({ round, region, runs: [raw(page, source.memory.page(region, page))] })
  }
}

async function postCopyPrepared(context: DestinationContext): Promise<void> {
  const source = await preparedPostCopy(context)
  source.cut()
  await askPrepared(source)
  await source.commit()
  await fill(source)
}

async function postCopyRunning(context: DestinationContext): Promise<void> {
  const source = await preparedPostCopy(context)
  await releaseUnheard(source)
  checkEqual('C7.19', await source.ask(), 'running')
  await fill(source)
}

/** ERROR instead of COMMIT: the source has not let go, and never will. */
async function kept(context: DestinationContext): Promise<void> {
  const source = await prepared(context)
  source.control.send('Error', { code: errorNumbers.CANCELLED, text: 'The guest stays' })
  await source.exchange.closed(source.control, 'C8.1')
  const answer = await source.ask()
  const isOver = answer === 'refused' || answer === 'SESSION_UNKNOWN'
  check('C7.16', isOver, 'refused, or SESSION_UNKNOWN', answer)
}

/** A first connection that comes late, or with an id that was there. */
async function newSession(source: ScriptedSource): Promise<void> {
  const channel = source.dial(1, 0, 0)
  channel.send('Hello', source.hello)
  await source.exchange.introduced(channel, 'C2.4')
  await source.exchange.refused([channel], ['PROTOCOL_STATE'], 'C7.27')
}

async function begunAgain(context: DestinationContext): Promise<void> {
  const held = await prepared(context)
  held.cut()
  await newSession(held)
  await askPrepared(held)
  await held.commit()
  await held.conclude(2)
  const over = await prepared(context)
  await releaseUnheard(over)
  await newSession(over)
}

/** A question that is not right is refused, and the guest is kept for another one. */
async function ownerEpoch(context: DestinationContext): Promise<void> {
  const source = await prepared(context)
  source.cut()
  await askPrepared(source)
  source.cut()
  source.epoch++
  const channel = source.dial(1)
  channel.send('OwnerQuery', { epoch: 2 })
  await source.exchange.introduced(channel, 'C2.4')
  await source.exchange.refused([channel], ['PROTOCOL_STATE'], 'C4.17')
  await askPrepared(source)
  await source.commit()
  await source.conclude(2)
}

/** Where OWNER_QUERY is to come nothing else may; after each, the guest is there still. */
async function outOfPlace(context: DestinationContext): Promise<void> {
  const source = await prepared(context)
  source.cut()
  await askPrepared(source)
  source.cut()
  const wrong = controlFrames.filter(({ name }) => name !== 'OwnerQuery')
  for (const { name, body } of sample(wrong, context.every, 2)) {
    source.epoch++
    const channel = source.dial(1)
    channel.send(name, body)
    await source.exchange.introduced(channel, 'C2.4')
    await source.exchange.refused([channel], ['PROTOCOL_STATE'], 'C3.14')
  }
  checkEqual('C7.15', await source.ask(), 'prepared')
  await source.commit()
  await source.conclude(2)
}

async function unknown(context: DestinationContext): Promise<void> {
  const probe = await context.source(asking).greet()
  probe.need('ownership')
  await probe.end()
  checkEqual('C7.25', await context.source(asking).ask(), 'SESSION_UNKNOWN')
}

export const ownershipCases: readonly C[] = [
  {
    name: 'ownership/asked',
    clauses: ['C4.61', 'C4.62', 'C4.63', 'C7.14', 'C7.15', 'C7.18', 'C10.7'],
    play: asked,
  },
  { name: 'ownership/twice', clauses: ['C7.14', 'C7.15'], play: twice },
  { name: 'ownership/running', clauses: ['C4.62', 'C7.19'], play: running },
  {
    name: 'ownership/post-copy-prepared',
    clauses: ['C7.15', 'C7.18'],
    play: postCopyPrepared,
  },
  { name: 'ownership/post-copy-running', clauses: ['C7.19'], play: postCopyRunning },
  { name: 'ownership/kept', clauses: ['C7.16'], play: kept },
  { name: 'ownership/begun-again', clauses: ['C7.27'], play: begunAgain },
  { name: 'ownership/owner-epoch', clauses: ['C4.17', 'C4.61'], play: ownerEpoch },
  { name: 'ownership/out-of-place', clauses: ['C3.14', 'C7.15'], play: outOfPlace },
  { name: 'ownership/unknown', clauses: ['C7.25'], play: unknown },
]
